//! How far each member is from a row: weighted rendezvous hashing.
//!
//! A hash u of seed, row and member is uniform between 0 and 1, and −log₂(u) / weight is then exponentially distributed
//! with a rate in proportion to the weight: of all members, each is the nearest with the probability of its share
//! (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous"; with weights, Resch, "New Hashing Algorithms
//! for Data Storage", whose score weight / −log(u) is the inverse). No distance depends on which other members there
//! are, which is why a change of one member leaves the others' order alone.

use super::{
    Member,
    identity::mix,
    log::{multiply_high, neg_log2, neg_log2_bound},
};

/// A member's place in a row's order: by distance, then by position. No two members have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// −log₂(u) / weight in units of 2⁻⁵⁷, rounded down.
    pub(super) distance: u64,
    /// The member.
    pub(super) position: u16,
}

/// The distances of one ring.
pub(super) struct Distances {
    bits: u32,
    seed: u64,
    members: Vec<Site>,
}

/// A member, prepared.
struct Site {
    key: u64,
    /// 2⁶⁴ / weight, so that the division by the weight becomes a multiplication. Rounding it costs less than 2⁻⁵³ of
    /// the distance, which is beyond what 64 bits of hash can tell apart.
    inverse_weight: u64,
}

impl Distances {
    /// The distances of `members`, each of which has weight, from the rows of a ring of `1 << bits`.
    pub(super) fn new(bits: u32, seed: u64, members: &[Member]) -> Self {
        let site = |member: &Member| Site { key: mix(member.id), inverse_weight: u64::MAX / u64::from(member.weight) };
        Self { bits, seed, members: members.iter().map(site).collect() }
    }

    /// The member nearest to `row`, of those that come after `refused` in the row's order.
    pub(super) fn nearest(&self, row: u32, refused: Option<Place>) -> Option<Place> {
        let key = self.row_key(row);
        let mut nearest: Option<Place> = None;
        for (site, position) in self.members.iter().zip(0..) {
            let u = mix(key ^ site.key);
            // Nearly all members are ruled out here, without a logarithm.
            if nearest.is_some_and(|nearest| nearest.distance <= site.scale(neg_log2_bound(u))) {
                continue;
            }
            let place = Place { distance: site.scale(neg_log2(u)), position };
            if refused < Some(place) && nearest.is_none_or(|nearest| place < nearest) {
                nearest = Some(place);
            }
        }
        nearest
    }

    /// A row is known by the first flow hash that it covers, which its first half still covers when the ring grows.
    fn row_key(&self, row: u32) -> u64 {
        mix(self.seed ^ mix(u64::from(row.rotate_right(self.bits))))
    }
}

impl Site {
    #[inline(always)]
    fn scale(&self, log: u64) -> u64 {
        multiply_high(log, self.inverse_weight)
    }
}
