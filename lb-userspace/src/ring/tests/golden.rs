//! Golden values: two nodes with different versions of Sluice must build the same ring, so these never change.
//!
//! They were computed by a separate program in another language, which sorts all pairs to find the stable matching,
//! takes its logarithms from decimal arithmetic and writes Maglev's permutations out.

use super::*;

/// FNV-1a over the owners' identities, so that the order of the members does not enter.
fn checksum(ring: &[Option<u64>]) -> u64 {
    ring.iter()
        .flat_map(|owner| owner.unwrap_or(0).to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn five() -> Vec<Member> {
    [100, 100, 50, 1, 1000].into_iter().enumerate().map(|(number, weight)| member(number, weight)).collect()
}

fn first_owners(ring: &[Option<u16>]) -> [u16; 16] {
    std::array::from_fn(|row| ring[row].unwrap())
}

#[test]
fn identities() {
    assert_eq!(identity(""), 17_665_956_581_633_026_203);
    assert_eq!(identity("web-1"), 17_687_519_785_067_183_837);
    assert_eq!(identity("web-2"), 585_031_870_262_575_850);
}

#[test]
fn quota_rings() {
    let even = settings(10, RingAlgorithm::Quota, 20);
    assert_eq!(first_owners(&build(&even, 42, &equals(5))), [3, 4, 2, 2, 1, 0, 2, 3, 0, 1, 2, 1, 3, 4, 4, 0]);
    assert_eq!(checksum(&owners(&even, 42, &equals(5))), 15_533_918_429_812_828_671);
    assert_eq!(first_owners(&build(&even, 42, &five())), [4, 4, 2, 4, 4, 0, 4, 4, 0, 1, 4, 1, 4, 4, 4, 0]);
    assert_eq!(checksum(&owners(&even, 42, &five())), 14_258_863_972_791_515_104);
    // Loose quotas leave it to the weights' effect on the distances.
    assert_eq!(checksum(&owners(&settings(14, RingAlgorithm::Quota, 1000), 44, &five())), 276_549_560_623_793_324);
    assert_eq!(checksum(&owners(&settings(16, RingAlgorithm::Quota, 0), 43, &equals(30))), 17_795_329_313_851_511_900);
}

#[test]
fn maglev_rings() {
    let even = settings(10, RingAlgorithm::Maglev, 20);
    assert_eq!(first_owners(&build(&even, 42, &equals(5))), [3, 4, 1, 3, 2, 3, 1, 2, 0, 1, 0, 3, 1, 4, 4, 4]);
    assert_eq!(checksum(&owners(&even, 42, &equals(5))), 13_515_618_809_686_685_639);
    assert_eq!(first_owners(&build(&even, 42, &five())), [4, 4, 4, 4, 4, 4, 1, 2, 4, 4, 4, 4, 4, 4, 4, 4]);
    assert_eq!(checksum(&owners(&even, 42, &five())), 14_152_057_984_941_830_137);
}
