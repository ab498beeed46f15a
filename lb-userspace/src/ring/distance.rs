//! How far each member is from a row: weighted rendezvous hashing.
//!
//! A hash u of seed, row and member is uniform between 0 and 1, and −log₂(u) / weight is then exponentially distributed
//! with a rate in proportion to the weight: of all members, each is the nearest with the probability of its share
//! (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous"; with weights, Resch, "New Hashing Algorithms
//! for Data Storage", whose score weight / −log(u) is the inverse). No distance depends on which other members there
//! are, which is why a change of one member leaves the others' order alone.

use std::collections::BTreeMap;

use super::{
    Member,
    identity::{mix, settle, stir},
    log::{FRACTION_BITS, multiply_high, neg_log2},
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
    /// The heaviest first: the sooner the nearest member is met, the more of the others are ruled out at once.
    groups: Vec<Group>,
    /// How far away the nearest member is, but for one row in fifty; and, since distances have no memory, how much farther
    /// than any other the next one is.
    usual_distance: u64,
}

/// The members of one weight.
struct Group {
    /// 2⁶⁴ / weight, so that the division by the weight becomes a multiplication. Rounding it costs less than 2⁻⁵³ of
    /// the distance, which is beyond what 64 bits of hash can tell apart.
    inverse_weight: u64,
    /// 16 · weight + 1: more than 16 times what multiplying by `inverse_weight` divides by.
    sixteen_weights: u64,
    sites: Vec<Site>,
}

/// A member, prepared.
struct Site {
    key: u64,
    position: u16,
}

/// A distance in units of 2⁻²⁷, rounded up.
#[derive(Clone, Copy)]
struct Reach(u64);

impl Reach {
    /// Farther than any member is: with it, [`Group::least_within`] is 0 for every weight.
    const EVERYWHERE: Self = Self(1 << 34);

    const fn of(distance: u64) -> Self {
        Self((distance >> 30) + 1)
    }
}

impl Distances {
    /// The distances of `members`, each of which has weight, from the rows of a ring of `1 << bits`.
    pub(super) fn new(bits: u32, seed: u64, members: &[Member]) -> Self {
        // The nearest of exponentially distributed distances is beyond d with the probability 2^(−d · total).
        const ONE_IN_FIFTY: u64 = 23 << (FRACTION_BITS - 2);
        let total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
        let mut groups = BTreeMap::new();
        for (member, position) in members.iter().zip(0..) {
            let group = groups.entry(member.weight).or_insert_with(|| Group::new(member.weight));
            group.sites.push(Site { key: mix(member.id), position });
        }
        let groups = groups.into_values().rev().collect();
        Self { bits, seed, groups, usual_distance: ONE_IN_FIFTY / total.max(1) }
    }

    /// The member nearest to `row`, of those that come after `refused` in the row's order.
    ///
    /// It is looked for where it usually is, so that few members but it are taken for the nearest on the way.
    pub(super) fn nearest(&self, row: u32, refused: Option<Place>) -> Option<Place> {
        let key = self.row_key(row);
        let usual = refused.map_or(0, |refused| refused.distance) + self.usual_distance;
        let near = self.nearest_within(Reach::of(usual), key, refused);
        // Reach is rounded up, and more so for light members: one that is a little beyond need not be the nearest.
        near.filter(|place| place.distance <= usual).or_else(|| self.nearest_within(Reach::EVERYWHERE, key, refused))
    }

    /// The nearest of those within reach, if there are any.
    #[inline(always)]
    fn nearest_within(&self, mut reach: Reach, key: u64, refused: Option<Place>) -> Option<Place> {
        let mut nearest = None;
        for group in &self.groups {
            let mut least = group.least_within(reach);
            for site in &group.sites {
                let stirred = stir(key ^ site.key);
                // Nearly all members are ruled out here, by one comparison and without the logarithm of their hash.
                if stirred < least {
                    continue;
                }
                let place = Place { distance: group.distance(settle(stirred)), position: site.position };
                if refused < Some(place) && nearest.is_none_or(|nearest| place < nearest) {
                    nearest = Some(place);
                    reach = Reach::of(place.distance);
                    least = group.least_within(reach);
                }
            }
        }
        nearest
    }

    /// A row is known by the first flow hash that it covers, which its first half still covers when the ring grows.
    fn row_key(&self, row: u32) -> u64 {
        mix(self.seed ^ mix(u64::from(row.rotate_right(self.bits))))
    }
}

impl Group {
    fn new(weight: u32) -> Self {
        let weight = u64::from(weight);
        Self { inverse_weight: u64::MAX / weight, sixteen_weights: 16 * weight + 1, sites: Vec::new() }
    }

    /// −log₂(`u` / 2⁶⁴) / weight.
    #[inline(always)]
    fn distance(&self, u: u64) -> u64 {
        multiply_high(neg_log2(u), self.inverse_weight)
    }

    /// No hash that is less, stirred or settled, is within reach.
    ///
    /// −log₂(x) ≥ 1 − x, and only the 31 bits are looked at that settling does not change. What is within reach has a
    /// logarithm of at most reach · weight, and so an x of at least 1 − reach · weight.
    #[inline(always)]
    fn least_within(&self, reach: Reach) -> u64 {
        ((1 << 31) - 1u64).saturating_sub(reach.0 * self.sixteen_weights) << 33
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{model::Backend, ring::tests::cases};

    /// Where all members are, without a short cut.
    fn places(distances: &Distances, row: u32, members: &[Member]) -> impl Iterator<Item = Place> {
        let key = distances.row_key(row);
        members.iter().zip(0..).map(move |(member, position)| {
            let distance = Group::new(member.weight).distance(mix(key ^ mix(member.id)));
            Place { distance, position }
        })
    }

    /// Many members of two weights, and a usual distance at which many rows are unusual: the nearest is then often one of
    /// those that are within reach for one weight and would not be for the other.
    #[test]
    fn a_light_member_just_beyond_reach_hides_no_heavy_one() {
        let weight = |id| if id < 40 { 3 } else { 1 };
        let members: Vec<Member> = (0..160).map(|id| Member { id, weight: weight(id) }).collect();
        let mut distances = Distances::new(16, 1, &members);
        distances.usual_distance /= 3;
        for row in 0..1 << 16 {
            assert_eq!(distances.nearest(row, None), places(&distances, row, &members).min(), "row {row}");
        }
    }

    #[test]
    fn everything_is_within_reach_of_everywhere() {
        assert_eq!(Group::new(1).least_within(Reach::EVERYWHERE), 0);
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn the_nearest_is_the_least_of_all(
            weights in prop_oneof![vec(1..=3u32, 1..8), vec(1..=Backend::MAX_WEIGHT, 1..30)],
            seed in any::<u64>(),
        ) {
            let member = |(id, &weight)| Member { id, weight };
            let members: Vec<Member> = (0..).zip(&weights).map(member).collect();
            let distances = Distances::new(10, seed, &members);
            for row in 0..64 {
                let mut places: Vec<Place> = places(&distances, row, &members).collect();
                places.sort();
                let mut refused = None;
                for place in places {
                    prop_assert_eq!(distances.nearest(row, refused), Some(place));
                    refused = Some(place);
                }
                prop_assert_eq!(distances.nearest(row, refused), None);
            }
        }
    }

    proptest! {
        #![proptest_config(cases(2048))]

        #[test]
        fn what_is_ruled_out_is_farther(
            weight in prop_oneof![1..=3u32, 1..=Backend::MAX_WEIGHT],
            u in any::<u64>(),
            zeros in 0u32..40,
            below in any::<u64>(),
        ) {
            let group = Group::new(weight);
            // Close to the limit, where it matters, and on both sides of it.
            let distance = group.distance(!(u >> zeros));
            let least = group.least_within(Reach::of(distance));
            for hash in [least.wrapping_sub(1), least.saturating_sub(1 + (below >> zeros)), least / 2] {
                let is_ruled_out = hash < least;
                prop_assert!(!is_ruled_out || group.distance(settle(hash)) > distance, "{hash} of {least}");
            }
        }

        #[test]
        fn what_is_near_is_not_ruled_out(weight in 1..=Backend::MAX_WEIGHT, u in any::<u64>(), zeros in 0u32..40) {
            let (group, stirred) = (Group::new(weight), !(u >> zeros));
            let distance = group.distance(settle(stirred));
            prop_assert!(stirred >= group.least_within(Reach::of(distance)));
        }
    }
}
