//! Which backend is responsible for which row: a pure, deterministic function.
//!
//! Problem: every node of a cluster must fill a service's ring alike without asking the others, each backend must get
//! its share, and a change of the backends must move few rows beyond those that it has to. Mechanism: [`build`]
//! computes the ring from the settings, the service's seed and the *set* of backends, with integers only, so that
//! order, compiler and processor cannot change it; golden vectors in the tests keep versions of Sluice in agreement.
//! Two algorithms fill it: [`RingAlgorithm::Quota`] and [`RingAlgorithm::Maglev`]. Trade-off: a ring is computed anew
//! for each change and never patched, because a patched ring would depend on its history. `cargo xtask bench ring` says
//! what that costs: with quotas and 100 members 1.3 ms for 4096 rows and 16 ms for 65,536, with Maglev 0.1 and 2 ms, on
//! a busy machine.

mod distance;
mod identity;
mod log;
mod maglev;
mod quota;
#[cfg(test)]
mod tests;

pub use identity::{identity, short_identity};

use crate::model::{RingAlgorithm, RingSettings};

/// A backend that may take rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The stable identity, see [`identity()`]; no two members of a ring share one.
    pub id: u64,
    /// The share of rows relative to the other members, at most [`crate::model::Backend::MAX_WEIGHT`]; 0 gets none and
    /// is as good as absent.
    pub weight: u32,
}

/// Builds a ring: for each of the `1 << settings.bits` rows the index into `members` of its owner.
///
/// A row has no owner only if no member has weight; then none has. The result depends on the order of `members` only
/// in that it names them by index.
///
/// Growing a ring by a bit splits its rows. Under [`RingAlgorithm::Quota`] the first half of a split row keeps the
/// distances of its parent and so, but for the effect of the quotas, its owner; the second half is drawn anew. Under
/// [`RingAlgorithm::Maglev`] both are drawn anew.
pub fn build(settings: &RingSettings, seed: u64, members: &[Member]) -> Vec<Option<u16>> {
    // An index has 16 bits. That is more than there are backend slots, so the zip never ends early.
    const _: () = assert!(lb_common::MAX_BACKENDS <= 1 << 16);
    let mut eligible: Vec<(Member, u16)> =
        members.iter().copied().zip(0..=u16::MAX).filter(|(member, _)| member.weight > 0).collect();
    // From here on nothing depends on the caller's order, and a member's position breaks ties in the order of ids.
    eligible.sort_unstable_by_key(|(member, _)| member.id);
    let (sorted, indices): (Vec<Member>, Vec<u16>) = eligible.into_iter().unzip();

    let owners = match settings.algorithm {
        _ if sorted.is_empty() => vec![None; 1 << settings.bits],
        RingAlgorithm::Quota => quota::owners(settings, seed, &sorted),
        RingAlgorithm::Maglev => maglev::owners(settings, seed, &sorted),
    };
    owners.into_iter().map(|position| position.map(|position| indices[usize::from(position)])).collect()
}
