//! An independent, slow and obvious way to the same ring.
//!
//! With symmetric scores the stable matching is unique, and taking the best pair of all that are still possible, again
//! and again, finds it: nobody in such a pair could prefer anyone else. The oracle ranks the pairs by exact
//! cross-multiplication of weight and logarithm, where the ring multiplies by an inverse.

use std::cmp::Ordering;

use super::*;
use crate::ring::{identity::mix, log::neg_log2};

struct Pair {
    row: usize,
    member: Member,
    log: u64,
}

impl Pair {
    fn new(row: usize, member: Member, settings: &RingSettings, seed: u64) -> Self {
        let first_hash = (row as u32) << (32 - settings.bits);
        let u = mix(mix(seed ^ mix(u64::from(first_hash))) ^ mix(member.id));
        Self { row, member, log: neg_log2(u) }
    }

    /// The better pair is less: log / weight, then identity, then row.
    fn compare(&self, other: &Self) -> Ordering {
        let here = u128::from(self.log) * u128::from(other.member.weight);
        let there = u128::from(other.log) * u128::from(self.member.weight);
        here.cmp(&there).then(self.member.id.cmp(&other.member.id)).then(self.row.cmp(&other.row))
    }
}

fn greedy(settings: &RingSettings, seed: u64, members: &[Member]) -> Vec<Option<u64>> {
    let rows = 1usize << settings.bits;
    let total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
    let quota = |member: Member| {
        let parts = u64::from(1000 + settings.tolerance_permille) * u64::from(member.weight) * rows as u64;
        (parts / (1000 * total) + u64::from(!parts.is_multiple_of(1000 * total))) as usize
    };
    let eligible = members.iter().copied().filter(|member| member.weight > 0);
    let mut pairs: Vec<Pair> =
        eligible.flat_map(|member| (0..rows).map(move |row| Pair::new(row, member, settings, seed))).collect();
    pairs.sort_unstable_by(Pair::compare);

    let mut owners = vec![None; rows];
    let mut held = std::collections::HashMap::new();
    for Pair { row, member, .. } in pairs {
        let held = held.entry(member.id).or_insert(0);
        if owners[row].is_none() && *held < quota(member) {
            owners[row] = Some(member.id);
            *held += 1;
        }
    }
    owners
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn deferred_acceptance_finds_the_stable_matching(
        members in members(24),
        bits in 6u32..=10,
        tolerance_permille in prop_oneof![Just(0), Just(20), 1u32..2000],
        seed in any::<u64>(),
    ) {
        prop_assume!(members.iter().any(|member| member.weight > 0));
        let settings = settings(bits, RingAlgorithm::Quota, tolerance_permille);
        prop_assert_eq!(owners(&settings, seed, &members), greedy(&settings, seed, &members));
    }
}
