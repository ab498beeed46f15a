//! The laws of rings, checked on rings built through [`super::build`] alone.

mod agreement;
mod balance;
mod disruption;
mod golden;
mod oracle;

use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

use super::{Member, build, identity};
use crate::model::{Backend, RingAlgorithm, RingSettings};

const BOTH: [RingAlgorithm; 2] = [RingAlgorithm::Quota, RingAlgorithm::Maglev];

/// A fixed number of fixed cases: what has passed once passes everywhere.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

fn settings(bits: u32, algorithm: RingAlgorithm, tolerance_permille: u32) -> RingSettings {
    RingSettings { bits, algorithm, tolerance_permille, seed: None }
}

fn member(number: usize, weight: u32) -> Member {
    Member { id: identity(&format!("backend-{number}")), weight }
}

/// `count` members of the same weight.
fn equals(count: usize) -> Vec<Member> {
    (0..count).map(|number| member(number, Backend::DEFAULT_WEIGHT)).collect()
}

/// The owners' identities, which unlike indices mean the same in another ring.
fn owners(settings: &RingSettings, seed: u64, members: &[Member]) -> Vec<Option<u64>> {
    let id = |index: u16| members[usize::from(index)].id;
    build(settings, seed, members).into_iter().map(|owner| owner.map(id)).collect()
}

/// Each member's number of rows.
fn rows_of(ring: &[Option<u64>], members: &[Member]) -> Vec<usize> {
    members.iter().map(|member| ring.iter().filter(|&&owner| owner == Some(member.id)).count()).collect()
}

/// Up to `most` members with any weights, 0 among them.
fn members(most: usize) -> impl Strategy<Value = Vec<Member>> {
    vec(prop_oneof![1 => Just(0), 4 => 1..=Backend::MAX_WEIGHT, 4 => Just(Backend::DEFAULT_WEIGHT)], 1..=most)
        .prop_map(|weights| weights.into_iter().enumerate().map(|(number, weight)| member(number, weight)).collect())
}

fn algorithm() -> impl Strategy<Value = RingAlgorithm> {
    prop::sample::select(BOTH.to_vec())
}
