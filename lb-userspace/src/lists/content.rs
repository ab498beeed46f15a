//! What is on the lists.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::prefixes::{Net4, Net6, Prefixes};

/// All lists, by their numbers (see [`lb_common::ListKind::numbers`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(pub BTreeMap<u32, List>);

/// What is on a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Its name.
    pub name: String,
    /// The prefixes about which nothing else is known.
    pub bulk: Arc<Prefixes>,
    /// The entries with a lifetime or a counter.
    pub own: Arc<Own>,
}

/// Entries with a lifetime or a counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub(super) short: Lives<Net4>,
    pub(super) long: Lives<Net4>,
    pub(super) v6: Lives<Net6>,
}

/// Sorted prefixes, and beside each when it expires: seconds since the machine started, or 0 for never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lives<K> {
    pub(super) nets: Vec<K>,
    pub(super) expiries_s: Vec<u32>,
}

impl<K> Default for Lives<K> {
    fn default() -> Self {
        Self { nets: Vec::new(), expiries_s: Vec::new() }
    }
}

impl<K: Copy + Ord> Lives<K> {
    fn push(&mut self, net: K, expires_s: u32) {
        self.nets.push(net);
        self.expiries_s.push(expires_s);
    }

    fn union(&self, other: &Self) -> Self {
        let (mut union, mut others) = (Self::default(), other.iter().peekable());
        for (net, expires_s) in self.iter() {
            while let Some((net, expires_s)) = others.next_if(|(other, _)| *other < net) {
                union.push(net, expires_s);
            }
            let same = others.next_if(|(other, _)| *other == net);
            union.push(net, same.map_or(expires_s, |(_, other_s)| later(expires_s, other_s)));
        }
        others.for_each(|(net, expires_s)| union.push(net, expires_s));
        union
    }

    fn iter(&self) -> impl Iterator<Item = (K, u32)> {
        self.nets.iter().copied().zip(self.expiries_s.iter().copied())
    }
}

/// The later of two expiries, of which 0 is never.
fn later(one_s: u32, other_s: u32) -> u32 {
    if one_s == 0 || other_s == 0 { 0 } else { one_s.max(other_s) }
}

impl FromIterator<(IpNet, u32)> for Own {
    /// From prefixes in order, each once, and when they expire; 0 is never.
    fn from_iter<I: IntoIterator<Item = (IpNet, u32)>>(entries: I) -> Self {
        let mut own = Self::default();
        for (net, expires_s) in entries {
            match net {
                IpNet::V4(net) => {
                    let key = Net4::new(net.network().to_bits(), net.prefix_len().into());
                    let lives = if key.length() <= 24 { &mut own.short } else { &mut own.long };
                    lives.push(key, expires_s);
                }
                IpNet::V6(net) => own.v6.push(Net6::new(net.network().to_bits(), net.prefix_len()), expires_s),
            }
        }
        own
    }
}

impl Own {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.short.nets.len() + self.long.nets.len() + self.v6.nets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether exactly this prefix is one of them.
    pub(super) fn has(&self, net: IpNet) -> bool {
        match net {
            IpNet::V4(net) => {
                let key = Net4::new(net.network().to_bits(), net.prefix_len().into());
                let lives = if key.length() <= 24 { &self.short } else { &self.long };
                lives.nets.binary_search(&key).is_ok()
            }
            IpNet::V6(net) => self.v6.nets.binary_search(&Net6::new(net.network().to_bits(), net.prefix_len())).is_ok(),
        }
    }

    /// These and others together; what is in both expires with the later.
    pub(super) fn union(&self, other: &Self) -> Self {
        Self { short: self.short.union(&other.short), long: self.long.union(&other.long), v6: self.v6.union(&other.v6) }
    }

    /// Every entry, and when it expires.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, u32)> {
        let v4 = self.short.iter().chain(self.long.iter()).map(|(net, expires_s)| (net.into(), expires_s));
        v4.chain(self.v6.iter().map(|(net, expires_s)| (net.into(), expires_s)))
    }
}

impl List {
    /// The longest prefix that covers an address and has not expired, by a clock of seconds since the machine started.
    pub fn longest(&self, address: IpAddr, now_s: u64) -> Option<IpNet> {
        let own = self.own.iter().filter(|(_, expires_s)| *expires_s == 0 || u64::from(*expires_s) > now_s);
        let own = own.map(|(net, _)| net).filter(|net| net.contains(&address));
        own.chain(self.bulk.longest(address)).max_by_key(IpNet::prefix_len)
    }

    /// Whether nothing is on it.
    pub fn is_empty(&self) -> bool {
        self.bulk.is_empty() && self.own.is_empty()
    }
}

impl Lists {
    /// Whether nothing is on any list.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(List::is_empty)
    }

    /// The names of the lists, on which nothing is.
    pub fn names(&self) -> Self {
        let name = |list: &List| List { name: list.name.clone(), ..List::default() };
        Self(self.0.iter().map(|(&number, list)| (number, name(list))).collect())
    }

    /// As much of the lists as an address needs now: the longest prefix of each that covers it, for good.
    #[must_use]
    pub fn about(&self, address: IpAddr, now_s: u64) -> Self {
        let about = |list: &List| List {
            name: list.name.clone(),
            own: Arc::new(list.longest(address, now_s).map(|net| (net, 0)).into_iter().collect()),
            ..List::default()
        };
        Self(self.0.iter().map(|(&number, list)| (number, about(list))).collect())
    }

    /// The number of the list with a name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.0.iter().find(|(_, list)| list.name == name).map(|(&number, _)| number)
    }
}

/// One kind of prefixes of a list.
pub(super) type Part<K> = (fn(&Prefixes) -> &[K], fn(&Own) -> &Lives<K>);

pub(super) const SHORT: Part<Net4> = (|bulk| &bulk.short, |own| &own.short);
pub(super) const LONG: Part<Net4> = (|bulk| &bulk.long, |own| &own.long);
pub(super) const V6: Part<Net6> = (|bulk| &bulk.v6, |own| &own.v6);

/// The prefixes about which two states of the lists do not say the same, in order, each once.
pub(super) fn changed<'a, K: Copy + Ord>(from: &Lists, to: &'a Lists, (bulk, own): Part<K>) -> Cow<'a, [K]> {
    static NOTHING: std::sync::LazyLock<List> = std::sync::LazyLock::new(List::default);
    let numbers: std::collections::BTreeSet<u32> = from.0.keys().chain(to.0.keys()).copied().collect();
    let mut all = Cow::Borrowed(&[][..]);
    for number in numbers {
        let (old, new) = (from.0.get(&number).unwrap_or(&NOTHING), to.0.get(&number));
        let (old_bulk, new_bulk) = (bulk(&old.bulk), new.map_or(&[][..], |new| bulk(&new.bulk)));
        if !std::ptr::eq(old_bulk, new_bulk) {
            if old_bulk.is_empty() && all.is_empty() {
                all = Cow::Borrowed(new_bulk);
            } else {
                differing(old_bulk.iter().copied(), new_bulk.iter().copied(), |net| all.to_mut().push(net));
            }
        }
        let (old_own, new_own) = (own(&old.own), own(&new.unwrap_or(&NOTHING).own));
        if !std::ptr::eq(old_own, new_own) {
            differing(old_own.iter(), new_own.iter(), |(net, _)| all.to_mut().push(net));
        }
    }
    if let Cow::Owned(all) = &mut all {
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// What is in one of two sorted sequences only.
pub(super) fn differing<T: Copy + Ord>(
    mut a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    mut note: impl FnMut(T),
) {
    let (mut next_a, mut next_b) = (a.next(), b.next());
    while let (Some(x), Some(y)) = (next_a, next_b) {
        if x == y {
            (next_a, next_b) = (a.next(), b.next());
        } else if x < y {
            note(x);
            next_a = a.next();
        } else {
            note(y);
            next_b = b.next();
        }
    }
    next_a.into_iter().chain(a).chain(next_b).chain(b).for_each(note);
}
