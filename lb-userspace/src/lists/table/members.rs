//! Which lists a prefix is on.

use crate::lists::{
    Lists,
    content::{Lives, Part},
};

/// Answers for prefixes one after the other; fastest if they come in order.
pub(super) struct Members<'a, K> {
    lists: Vec<OfList<'a, K>>,
    own: Vec<(u32, u32)>,
}

struct OfList<'a, K> {
    number: u32,
    bulk: Cursor<'a, K>,
    own: Cursor<'a, K>,
    lives: &'a Lives<K>,
}

/// The lists that a prefix is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// Those about which no more is known, a bit each.
    pub(super) bulk: u64,
    /// The others, and when the entry expires; 0 is never.
    pub(super) own: &'a [(u32, u32)],
}

impl<'a, K: Copy + Ord> Members<'a, K> {
    pub(super) fn new(lists: &'a Lists, (bulk, own): Part<K>) -> Self {
        let of_list = |(&number, list): (&u32, &'a crate::lists::List)| {
            let (bulk, lives) = (bulk(&list.bulk), own(&list.own));
            OfList { number, bulk: Cursor::new(bulk), own: Cursor::new(&lives.nets), lives }
        };
        let lists = lists.0.iter().map(of_list).filter(|list| !list.bulk.nets.is_empty() || !list.own.nets.is_empty());
        Self { lists: lists.collect(), own: Vec::new() }
    }

    /// The lists that exactly this prefix is on.
    pub(super) fn of(&mut self, net: K) -> Member<'_> {
        self.own.clear();
        let mut bulk = 0;
        for list in &mut self.lists {
            if list.bulk.find(net).is_some() {
                bulk |= 1 << list.number;
            }
            if let Some(index) = list.own.find(net) {
                self.own.push((list.number, list.lives.expiries_s[index]));
            }
        }
        Member { bulk, own: &self.own }
    }

    /// All prefixes from one on up to another, on any list: in order within each list.
    pub(super) fn between(&mut self, from: K, to: K) -> impl Iterator<Item = K> + use<'_, 'a, K> {
        self.lists.iter_mut().flat_map(move |list| {
            let (bulk, own) = (list.bulk.range(from, to), list.own.range(from, to));
            bulk.iter().chain(own).copied()
        })
    }
}

/// A place in a sorted list of prefixes, from which the next one is not far.
struct Cursor<'a, K> {
    nets: &'a [K],
    place: usize,
}

impl<'a, K: Copy + Ord> Cursor<'a, K> {
    const fn new(nets: &'a [K]) -> Self {
        Self { nets, place: 0 }
    }

    /// Moves to the first prefix that is not before `net`: in doubling steps, because it is near.
    fn seek(&mut self, net: K) {
        let mut step = 1;
        if self.place > 0 && self.nets[self.place - 1] >= net {
            let mut last = self.place - 1;
            while self.nets[last.saturating_sub(step)] >= net && last > 0 {
                last = last.saturating_sub(step);
                step *= 2;
            }
            let first = last.saturating_sub(step);
            self.place = first + self.nets[first..last].partition_point(|other| *other < net);
            return;
        }
        while self.nets.get(self.place + step).is_some_and(|other| *other < net) {
            self.place += step;
            step *= 2;
        }
        let end = (self.place + step + 1).min(self.nets.len());
        self.place += self.nets[self.place..end].partition_point(|other| *other < net);
    }

    fn find(&mut self, net: K) -> Option<usize> {
        self.seek(net);
        (self.nets.get(self.place) == Some(&net)).then_some(self.place)
    }

    fn range(&mut self, from: K, to: K) -> &'a [K] {
        self.seek(from);
        let rest = &self.nets[self.place..];
        let mut end = Cursor::new(rest);
        end.seek(to);
        &rest[..end.place]
    }
}
