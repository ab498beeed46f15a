//! Prefixes as large lists have them, and sources that are on them or not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use lb_userspace::lists::{Net4, Net6, Prefixes};

use super::CHANGED;

/// The families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Of a hundred prefixes of IPv4, 80 are single addresses, 17 are /24s and three are shorter.
const LENGTHS_V4: [(u32, u8); 5] = [(80, 32), (97, 24), (98, 23), (99, 22), (100, 21)];
/// Of a hundred of IPv6.
const LENGTHS_V6: [(u32, u8); 5] = [(50, 64), (70, 48), (85, 56), (95, 128), (100, 32)];

impl Family {
    pub(super) const fn of(is_v4: bool) -> Self {
        if is_v4 { Self::V4 } else { Self::V6 }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// Bytes of a prefix in the daemon's memory.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::V4 => size_of::<Net4>(),
            Self::V6 => size_of::<Net6>(),
        }
    }

    /// So many prefixes; in another version one in [`CHANGED`] is another.
    pub(super) fn prefixes(self, version: u64, count: u32) -> Prefixes {
        (0..u64::from(count)).map(|number| self.prefix(number, version)).collect()
    }

    fn prefix(self, number: u64, version: u64) -> IpNet {
        let seed = if number.is_multiple_of(CHANGED.into()) { number | (version + 1) << 40 } else { number };
        let lengths = match self {
            Self::V4 => LENGTHS_V4,
            Self::V6 => LENGTHS_V6,
        };
        let share = (mixed(seed ^ 1 << 60) % 100) as u32;
        let length = lengths.into_iter().find(|(below, _)| share < *below).map_or(0, |(_, length)| length);
        IpNet::new_assert(self.address(seed), length).trunc()
    }

    /// A pseudo-random address, of IPv6 one that is given to somebody.
    fn address(self, seed: u64) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from_bits((mixed(seed) >> 16) as u32).into(),
            Self::V6 => {
                let [upper, lower] = [mixed(seed), mixed(seed ^ 1 << 61)];
                Ipv6Addr::from_bits(u128::from(upper >> 3 | 1 << 61) << 64 | u128::from(lower)).into()
            }
        }
    }

    /// Random sources that none of these prefixes covers.
    pub(super) fn misses(self, nets: &Prefixes, count: u32) -> Vec<[u32; 4]> {
        let random = (1 << 50..).map(|seed| self.address(seed)).filter(|address| nets.longest(*address).is_none());
        random.take(count as usize).map(words).collect()
    }

    /// Random sources, each inside one of these prefixes.
    pub(super) fn hits(self, nets: &Prefixes, count: u32) -> Vec<[u32; 4]> {
        let all: Vec<IpNet> = nets.iter().collect();
        let chosen = (0..u64::from(count)).map(|number| {
            let net = all[(mixed(number ^ 1 << 62) % all.len() as u64) as usize];
            inside(net, mixed(number ^ 1 << 63))
        });
        chosen.map(words).collect()
    }
}

fn inside(net: IpNet, random: u64) -> IpAddr {
    match net {
        IpNet::V4(net) => {
            Ipv4Addr::from_bits(net.network().to_bits() | random as u32 & net.hostmask().to_bits()).into()
        }
        IpNet::V6(net) => {
            let random = u128::from(random) << 64 | u128::from(random.rotate_left(32));
            Ipv6Addr::from_bits(net.network().to_bits() | random & net.hostmask().to_bits()).into()
        }
    }
}

/// An address as the numbers in its header; of IPv4, the last.
fn words(address: IpAddr) -> [u32; 4] {
    let bits = match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}

/// A pseudo-random number that follows from another (splitmix64).
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
