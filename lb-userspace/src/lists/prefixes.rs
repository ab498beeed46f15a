//! Large sets of prefixes: sorted, in as few bytes as they need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use lb_common::Address;

/// A prefix of IPv4 in one word, `address << 8 | length`, so that order is that of addresses, shorter prefixes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Net4(u64);

impl Net4 {
    /// A prefix whose address has no bits behind its length.
    pub const fn new(address: u32, length: u32) -> Self {
        Self((address as u64) << 8 | length as u64)
    }

    /// The prefix of this length that an address is in.
    pub const fn around(address: u32, length: u32) -> Self {
        Self::new(address & (0xffff_ffff_0000_0000_u64 >> length) as u32, length)
    }

    /// The address.
    pub const fn address(self) -> u32 {
        (self.0 >> 8) as u32
    }

    /// The length.
    pub const fn length(self) -> u32 {
        self.0 as u8 as u32
    }

    /// The numbers of the /24s that a prefix up to /24 has.
    pub(super) const fn slash24s(self) -> (u32, u32) {
        let first = self.address() >> 8;
        (first, first + (1 << (24 - self.length())))
    }
}

/// A prefix of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Net6 {
    upper: u64,
    lower: u64,
    length: u8,
}

impl Net6 {
    /// A prefix whose address has no bits behind its length.
    pub const fn new(address: u128, length: u8) -> Self {
        Self { upper: (address >> 64) as u64, lower: address as u64, length }
    }

    /// The prefix of this length that an address is in.
    pub const fn around(address: u128, length: u8) -> Self {
        let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
        Self::new(address & mask, length)
    }

    /// The address.
    pub const fn address(self) -> Address {
        Address::from_halves([self.upper, self.lower])
    }

    /// The length.
    pub const fn length(self) -> u8 {
        self.length
    }
}

impl From<Net4> for IpNet {
    fn from(net: Net4) -> Self {
        Self::new_assert(Ipv4Addr::from_bits(net.address()).into(), net.length() as u8)
    }
}

impl From<Net6> for IpNet {
    fn from(net: Net6) -> Self {
        Self::new_assert(Ipv6Addr::from(net.address().octets()).into(), net.length)
    }
}

/// A set of prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Those of IPv4 up to /24.
    pub(super) short: Vec<Net4>,
    /// Those of IPv4 from /25 on.
    pub(super) long: Vec<Net4>,
    pub(super) v6: Vec<Net6>,
}

impl Prefixes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.short.len() + self.long.len() + self.v6.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one in no order; [`Prefixes::finish`] makes a set of them.
    pub(super) fn push(&mut self, net: IpNet) {
        match net {
            IpNet::V4(net) => self.push_v4(net.network().to_bits(), net.prefix_len().into()),
            IpNet::V6(net) => self.v6.push(Net6::new(net.network().to_bits(), net.prefix_len())),
        }
    }

    /// Like [`Prefixes::push`].
    pub(super) fn push_v4(&mut self, address: u32, length: u32) {
        let net = Net4::new(address, length);
        if length <= 24 { self.short.push(net) } else { self.long.push(net) }
    }

    /// Sorts what was pushed. Returns how many were there twice.
    pub(super) fn finish(&mut self) -> usize {
        let before = self.len();
        for nets in [&mut self.short, &mut self.long] {
            nets.sort_unstable();
            nets.dedup();
            nets.shrink_to_fit();
        }
        self.v6.sort_unstable();
        self.v6.dedup();
        self.v6.shrink_to_fit();
        before - self.len()
    }

    /// All prefixes, those of IPv4 first, in order.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> + '_ {
        let v4 = merged(&self.short, &self.long).map(IpNet::from);
        v4.chain(self.v6.iter().copied().map(IpNet::from))
    }

    /// How many of them another one covers.
    pub fn covered(&self) -> usize {
        let mut around: Option<IpNet> = None;
        let is_inside = |net: &IpNet| {
            // In order, what covers a prefix comes before it, and whatever lies between is covered, too.
            let is_inside = around.is_some_and(|around| around.contains(net));
            around = if is_inside { around } else { Some(*net) };
            is_inside
        };
        self.iter().filter(is_inside).count()
    }

    /// Whether exactly this prefix is one of them.
    pub fn has(&self, net: IpNet) -> bool {
        match net {
            IpNet::V4(net) => {
                let key = Net4::new(net.network().to_bits(), net.prefix_len().into());
                if key.length() <= 24 { &self.short } else { &self.long }.binary_search(&key).is_ok()
            }
            IpNet::V6(net) => self.v6.binary_search(&Net6::new(net.network().to_bits(), net.prefix_len())).is_ok(),
        }
    }

    /// The longest prefix that covers an address.
    pub fn longest(&self, address: IpAddr) -> Option<IpNet> {
        let lengths = 0..=if address.is_ipv4() { 32 } else { 128 };
        lengths
            .rev()
            .filter_map(|length| IpNet::new(address, length).ok())
            .map(|net| net.trunc())
            .find(|&net| self.has(net))
    }

    /// This set and another together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            short: united(&self.short, &other.short),
            long: united(&self.long, &other.long),
            v6: united(&self.v6, &other.v6),
        }
    }
}

impl FromIterator<IpNet> for Prefixes {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        let mut prefixes = Self::default();
        nets.into_iter().for_each(|net| prefixes.push(net));
        prefixes.finish();
        prefixes
    }
}

/// Two sorted lists as one.
fn merged<'a, K: Copy + Ord>(a: &'a [K], b: &'a [K]) -> impl Iterator<Item = K> + 'a {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if y < x => b.next(),
        (None, _) => b.next(),
        _ => a.next(),
    })
}

/// Two sorted sets as one. Without branches that nobody could foretell.
fn united<K: Copy + Ord>(a: &[K], b: &[K]) -> Vec<K> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut in_a, mut in_b) = (0, 0);
    while let (Some(&x), Some(&y)) = (a.get(in_a), b.get(in_b)) {
        all.push(x.min(y));
        in_a += usize::from(x <= y);
        in_b += usize::from(y <= x);
    }
    all.extend_from_slice(&a[in_a..]);
    all.extend_from_slice(&b[in_b..]);
    all
}
