//! Prefixes of IPv6, as fingerprints.

use super::{LIST_LINE_WORDS, ListHead, head::two_lines};
use crate::Address;

/// Entries of a line: two words each.
pub const FINGERPRINTS_PER_LINE: usize = LIST_LINE_WORDS / 2;

/// A keyed hash of a prefix's length and address, of 96 bits: an address that is on no list would be taken for one that is
/// with a probability of 10^-22 at a million entries.
///
/// An entry is two words: the first 64 bits, which are never 0, and `{check: the other 32, spilled, class: 24 bits}`. So a
/// reader who finds the first word of one entry and the second of its successor does not believe them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    word: u64,
    check: u32,
}

impl Fingerprint {
    const CLASS: u64 = (1 << 24) - 1;
    const SPILLED: u64 = 1 << 31;

    /// From the two words of an entry.
    pub const fn from_words(word: u64, value: u64) -> Self {
        Self { word, check: (value >> 32) as u32 }
    }

    /// The first word of its entry.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.word
    }

    /// The second word of its entry.
    pub const fn value(self, class: u32) -> u64 {
        (self.check as u64) << 32 | class as u64
    }

    /// The class that the two words of an entry name, if it is this one's; else 0. Without a branch, like
    /// [`super::LongEntry::class_of`].
    #[inline(always)]
    pub const fn class_of(self, word: u64, value: u64) -> u32 {
        let difference = self.word ^ word | self.check as u64 ^ value >> 32;
        // All ones if there is none.
        let is_same = (difference >> 1 | difference & 1).wrapping_sub(1) as i64 >> 63;
        (value & Self::CLASS & is_same as u64) as u32
    }

    /// Whether the second word of a line says that entries which should be here stand in their other line.
    #[inline(always)]
    pub const fn is_spilled(value: u64) -> bool {
        value & Self::SPILLED != 0
    }

    /// The word, of a line that has been full.
    pub const fn spilled(value: u64) -> u64 {
        value | Self::SPILLED
    }

    /// The lines where its entry may stand.
    #[inline(always)]
    pub const fn lines(self, head: &ListHead) -> [u32; 2] {
        two_lines(self.word, head.lines_v6)
    }
}

/// What says whether there may be a prefix: two bits of a word, which only few strangers find both set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The number of the word.
    pub word: u32,
    /// The bits.
    pub bits: u64,
}

impl Guard {
    /// Whether the word has the bits.
    #[inline(always)]
    pub const fn is_in(self, word: u64) -> bool {
        word & self.bits == self.bits
    }
}

impl ListHead {
    /// Prefixes of so many bits and more are asked for only if something is inside the first so many bits of an address: this
    /// is what registries give away, and most senders are in none of which anything is listed.
    pub const BLOCK_BITS: u32 = 32;

    /// The guard of a prefix: of the first `bits` bits of an address, and 0 for the others.
    #[inline(always)]
    pub const fn guard(&self, network: &Address, bits: u32) -> Guard {
        let [a, b, c, d, e, f, ..] = self.key_v6;
        let hash = (sum(network, bits, [a, b, c, d, e, f]) >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Guard { word: (hash >> (70 - (self.guard_bits & 31))) as u32, bits: 1 << (hash & 63) | 1 << (hash >> 6 & 63) }
    }

    /// The guard of all prefixes of [`ListHead::BLOCK_BITS`] bits or more that share so many with an address.
    #[inline(always)]
    pub fn guard_inside(&self, address: &Address) -> Guard {
        // No prefix has this length.
        self.guard(&address.prefix(Self::BLOCK_BITS as u8), 129)
    }

    /// The fingerprint of a prefix: of the first `bits` bits of an address, and 0 for the others.
    #[inline(always)]
    pub const fn fingerprint(&self, network: &Address, bits: u32) -> Fingerprint {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = self.key_v6;
        let upper = sum(network, bits, [a, b, c, d, e, f]) & 0xffff_ffff_0000_0000;
        let lower = sum(network, bits, [g, h, i, j, k, l]) >> 32;
        let check = (sum(network, bits, [m, n, o, p, q, r]) >> 32) as u32;
        let word = upper | lower;
        Fingerprint { word: if word == 0 { 1 } else { word }, check }
    }
}

/// Pair-multiply-shift, whose upper half is the good one (see [`crate::Flow`]).
#[inline(always)]
const fn sum(network: &Address, bits: u32, key: [u64; 6]) -> u64 {
    let [a, b, c, d] = network.0;
    let first = key[0].wrapping_add(b as u64).wrapping_mul(key[1].wrapping_add(a as u64));
    let second = key[2].wrapping_add(d as u64).wrapping_mul(key[3].wrapping_add(c as u64));
    first.wrapping_add(second).wrapping_add(key[4].wrapping_mul(bits as u64)).wrapping_add(key[5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_addresses_differ() {
        let head = ListHead::new([1, 2], 1, 1, 1 << 20, 20);
        let of = |low: u32, bits| head.fingerprint(&Address::v6([0x2001_0db8, 0, 0, low]), bits);
        assert_eq!(of(1, 128), of(1, 128));
        assert!(of(1, 128) != of(2, 128) && of(0, 64) != of(0, 65));
        let (one, two) = (of(1, 128), of(2, 128));
        assert_eq!((one.class_of(one.word(), one.value(77)), two.class_of(one.word(), one.value(77))), (77, 0));
        assert_eq!((one.class_of(one.word(), two.value(77)), one.class_of(two.word(), one.value(77))), (0, 0));
        assert_eq!(one.class_of(one.word(), Fingerprint::spilled(one.value(77))), 77);
    }

    /// Neighbours are the worst natural input: as few strangers as by chance may find both bits set.
    #[test]
    fn neighbours_spread_over_the_guards() {
        let head = ListHead::new([1, 2], 1, 1, 1024, 16);
        let mut words = [0; 1 << 10];
        let guard = |low: u32| head.guard(&Address::v6([0x2001_0db8, 0, 0, low]), 128);
        for guard in (0..1 << 12).map(guard) {
            words[guard.word as usize] |= guard.bits;
        }
        let found = (1 << 12..1 << 16).map(guard).filter(|guard| guard.is_in(words[guard.word as usize])).count();
        // Of 61,440 strangers, 1,040 expected.
        assert!((700..1500).contains(&found), "{found}");
    }
}
