//! How good a ring is: its balance, and how many rows its changes move without need.

use std::collections::BTreeMap;

use lb_userspace::{
    model::Backend,
    ring::{self, Member},
};
use serde::Serialize;

use super::algorithm::Algorithm;

/// The quality of one algorithm with so many members, as the mean over several seeds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quality {
    /// The rows of the member that has most, over its share.
    pub balance: f64,
    /// Rows moved beyond those that had to, in per cent of all, when a member is removed.
    pub remove_excess_percent: f64,
    /// The same when one is added.
    pub add_excess_percent: f64,
    /// The same when one's weight is halved.
    pub halve_excess_percent: f64,
    /// Rows moved by ten steps from nothing to full weight, over the rows that the member has in the end.
    pub ramp: f64,
}

/// Measures it for `count` equal members.
pub fn measure(algorithm: Algorithm, bits: u32, count: usize, seeds: u64) -> Quality {
    let mut sum = Quality::default();
    for seed in 1..=seeds {
        let one = Trial::new(algorithm, bits, count, seed).quality();
        sum.balance += one.balance;
        sum.remove_excess_percent += one.remove_excess_percent;
        sum.add_excess_percent += one.add_excess_percent;
        sum.halve_excess_percent += one.halve_excess_percent;
        sum.ramp += one.ramp;
    }
    let mean = |sum: f64| sum / seeds as f64;
    Quality {
        balance: mean(sum.balance),
        remove_excess_percent: mean(sum.remove_excess_percent),
        add_excess_percent: mean(sum.add_excess_percent),
        halve_excess_percent: mean(sum.halve_excess_percent),
        ramp: mean(sum.ramp),
    }
}

/// `count` members of the same weight.
pub fn equals(count: usize) -> Vec<Member> {
    let member = |number| Member { id: ring::identity(&format!("backend-{number}")), weight: Backend::DEFAULT_WEIGHT };
    (0..count).map(member).collect()
}

/// One seed. The member that changes is another one each time.
struct Trial {
    algorithm: Algorithm,
    bits: u32,
    seed: u64,
    /// One more than there are; the last is the one that is added.
    members: Vec<Member>,
    changed: usize,
    before: Vec<u64>,
}

impl Trial {
    fn new(algorithm: Algorithm, bits: u32, count: usize, seed: u64) -> Self {
        let members = equals(count + 1);
        let before = algorithm.owners(bits, seed, &members[..count]);
        Self { algorithm, bits, seed, members, changed: seed as usize % count, before }
    }

    fn quality(&self) -> Quality {
        let count = self.members.len() - 1;
        let changed = self.members[self.changed].id;
        let without = self.with_weight(0);
        Quality {
            balance: balance(&self.before, count),
            remove_excess_percent: excess_percent(&self.before, &without, changed),
            add_excess_percent: excess_percent(&self.before, &self.owners(&self.members), self.members[count].id),
            halve_excess_percent: excess_percent(&self.before, &self.with_weight(5), changed),
            ramp: self.ramp(without, changed),
        }
    }

    /// Ten steps that each move some rows.
    fn ramp(&self, without: Vec<u64>, changed: u64) -> f64 {
        let (mut ring, mut moves) = (without, 0);
        for tenths in 1..=10 {
            let next = self.with_weight(tenths);
            moves += moved(&ring, &next);
            ring = next;
        }
        moves as f64 / rows_of(&ring, changed) as f64
    }

    /// The ring when the changed member has so many tenths of its weight.
    fn with_weight(&self, tenths: u32) -> Vec<u64> {
        let mut members = self.members[..self.members.len() - 1].to_vec();
        members[self.changed].weight = Backend::DEFAULT_WEIGHT * tenths / 10;
        self.owners(&members)
    }

    fn owners(&self, members: &[Member]) -> Vec<u64> {
        self.algorithm.owners(self.bits, self.seed, members)
    }
}

fn balance(ring: &[u64], members: usize) -> f64 {
    let mut rows = BTreeMap::new();
    for owner in ring {
        *rows.entry(owner).or_insert(0u32) += 1;
    }
    let most = rows.into_values().max().unwrap_or(0);
    f64::from(most) * members as f64 / ring.len() as f64
}

fn moved(before: &[u64], after: &[u64]) -> usize {
    before.iter().zip(after).filter(|(before, after)| before != after).count()
}

fn rows_of(ring: &[u64], member: u64) -> usize {
    ring.iter().filter(|owner| **owner == member).count()
}

/// The rows that a change of one member moved, without those that it gained or lost.
fn excess_percent(before: &[u64], after: &[u64], changed: u64) -> f64 {
    let needed = rows_of(before, changed).abs_diff(rows_of(after, changed));
    (moved(before, after) - needed) as f64 * 100.0 / before.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_rendezvous_moves_nothing_without_need_and_does_not_balance() {
        let quality = measure(Algorithm::Rendezvous, 12, 10, 2);
        let none = [quality.remove_excess_percent, quality.add_excess_percent, quality.halve_excess_percent];
        assert_eq!(none, [0.0; 3]);
        assert_eq!(quality.ramp, 1.0);
        assert!(quality.balance > 1.03 && quality.balance < 1.3, "{quality:?}");
    }

    /// With a ring of a million rows chance counts for little.
    #[test]
    fn plain_rendezvous_honours_weights() {
        let mut members = equals(2);
        members[0].weight *= 3;
        let ring = Algorithm::Rendezvous.owners(16, 1, &members);
        let share = rows_of(&ring, members[0].id) as f64 / ring.len() as f64;
        assert!((share - 0.75).abs() < 0.01, "{share}");
    }

    #[test]
    fn excess_and_balance_of_rings_by_hand() {
        let (before, after) = ([1, 1, 2, 2, 3, 3], [2, 3, 2, 3, 3, 2]);
        assert_eq!(excess_percent(&before, &after, 1), 100.0 / 3.0);
        assert_eq!((balance(&before, 3), balance(&after, 2)), (1.0, 1.0));
        assert_eq!(balance(&[1, 1, 1, 2], 2), 1.5);
    }
}
