//! The ways to fill a ring that are compared.

use std::fmt;

use lb_userspace::{
    model::{RingAlgorithm, RingSettings},
    ring::{self, Member},
};
use serde::{Serialize, Serializer};

/// A way to fill a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// The product's rendezvous hashing with quotas, and its tolerance in thousandths.
    Quota(u32),
    /// The product's weighted Maglev.
    Maglev,
    /// Plain weighted rendezvous hashing, in floating point: it moves no row without need, and does not balance.
    Rendezvous,
}

/// All of them.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Quota(0), Algorithm::Quota(5), Algorithm::Quota(20), Algorithm::Maglev, Algorithm::Rendezvous];

impl Algorithm {
    /// The owners of the `1 << bits` rows, by identity. There is a member that has weight.
    pub fn owners(self, bits: u32, seed: u64, members: &[Member]) -> Vec<u64> {
        let (algorithm, tolerance_permille) = match self {
            Self::Quota(tolerance_permille) => (RingAlgorithm::Quota, tolerance_permille),
            Self::Maglev => (RingAlgorithm::Maglev, 0),
            Self::Rendezvous => return rendezvous(bits, seed, members),
        };
        let owners = ring::build(&RingSettings { bits, algorithm, tolerance_permille, seed: None }, seed, members);
        owners.into_iter().flatten().map(|index| members[usize::from(index)].id).collect()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quota(permille) => write!(formatter, "quota {} %", f64::from(*permille) / 10.0),
            Self::Maglev => formatter.write_str("maglev"),
            Self::Rendezvous => formatter.write_str("rendezvous"),
        }
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Each row belongs to the member with the least −ln(u) / weight, where u is a hash of both.
fn rendezvous(bits: u32, seed: u64, members: &[Member]) -> Vec<u64> {
    let sites: Vec<(u64, f64, u64)> = members
        .iter()
        .filter(|member| member.weight > 0)
        .map(|member| (scramble(member.id), f64::from(member.weight), member.id))
        .collect();
    let nearest = |row: u64| {
        let key = scramble(seed ^ scramble(row));
        let distance = |&(site, weight, id): &(u64, f64, u64)| {
            let u = (scramble(key ^ site) as f64 + 0.5) / 2f64.powi(64);
            (-u.ln() / weight, id)
        };
        sites.iter().map(distance).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id)
    };
    (0..1 << bits).filter_map(nearest).collect()
}

/// The finalizer of MurmurHash3: another one than the product's, so that both cannot share a fault.
const fn scramble(mut word: u64) -> u64 {
    word = (word ^ (word >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ (word >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ (word >> 33)
}
