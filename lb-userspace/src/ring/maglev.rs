//! Weighted Maglev (Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4).
//!
//! Every member has an own permutation of the rows. They take turns to claim the next row of theirs that nobody has,
//! until all are claimed. A member's turns follow its weight: each round adds the weight to its credit, and a turn
//! costs the heaviest member's weight. The paper's ring has a prime number of rows, so that every step from row to row
//! reaches all of them; ours has a power of two, so the steps are odd numbers, which do the same. Trade-off: equal
//! members differ by one row at most, weighted ones fall short of their share by two rows at most and exceed it by one
//! row and one per cent (with a hundred rows a member), but with 100 members a change moves four times as many rows
//! beyond need as with quotas.

use super::{Member, identity::mix};
use crate::model::RingSettings;

/// A member's way through the rows.
struct Walk {
    row: usize,
    step: usize,
    weight: u64,
    credit: u64,
}

impl Walk {
    fn new(member: &Member, seed: u64, mask: usize) -> Self {
        let hash = mix(mix(member.id) ^ mix(seed));
        Self {
            row: (hash >> 32) as usize & mask,
            step: (hash as usize | 1) & mask,
            weight: u64::from(member.weight),
            credit: 0,
        }
    }

    /// Whether it is this member's turn, which is then paid for.
    fn takes_turn(&mut self, price: u64) -> bool {
        self.credit += self.weight;
        let affordable = self.credit >= price;
        if affordable {
            self.credit -= price;
        }
        affordable
    }

    /// The next row on the way that nobody owns. There must be one.
    fn next_free(&mut self, owners: &[Option<u16>]) -> usize {
        while owners[self.row].is_some() {
            self.row = (self.row + self.step) & (owners.len() - 1);
        }
        self.row
    }
}

/// For each row the position of its owner among `members`, which all have weight and of which there is one or more.
pub(super) fn owners(settings: &RingSettings, seed: u64, members: &[Member]) -> Vec<Option<u16>> {
    let mut owners = vec![None; 1 << settings.bits];
    let mask = owners.len() - 1;
    let mut walks: Vec<Walk> = members.iter().map(|member| Walk::new(member, seed, mask)).collect();
    let heaviest = walks.iter().map(|walk| walk.weight).max().unwrap_or(0);
    let mut free = owners.len();
    loop {
        for (walk, position) in walks.iter_mut().zip(0..) {
            if !walk.takes_turn(heaviest) {
                continue;
            }
            let row = walk.next_free(&owners);
            owners[row] = Some(position);
            free -= 1;
            if free == 0 {
                return owners;
            }
        }
    }
}
