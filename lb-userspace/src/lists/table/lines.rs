//! Lines of entries: cuckoo hashing with two lines for each key.
//!
//! An entry stands in its first line, or in its second if the first was full; then the first is marked, so that look-ups read
//! the second only where it matters. Where both are full, somebody in them is copied to his other line; once every packet
//! that read there before is through, the newcomer takes his old place. So whoever is on a list is found all the time.

use std::{collections::HashSet, hint::black_box, iter, sync::atomic::AtomicU64};

use lb_common::{FINGERPRINTS_PER_LINE, Fingerprint, LIST_LINE_WORDS, ListHead, LongEntry};

use super::Full;
use crate::lists::{
    Memory, Region,
    memory::{load, store},
};

/// Entries whose lines are fetched before the first of them is written.
pub(super) const BATCH: usize = 64;

/// Rounds in which entries make room for others, each of which waits for the packets.
const ROUNDS: usize = 12;

/// What stands in lines, and how.
pub(super) trait Shape {
    /// An entry. Two are of the same key if [`Shape::is_same`] says so.
    type Entry: Copy;
    /// The table.
    const REGION: Region;
    /// Entries of a line.
    const WAYS: usize;

    fn lines(entry: Self::Entry, head: &ListHead) -> [u32; 2];
    fn read(line: &[AtomicU64], way: usize) -> Option<Self::Entry>;
    fn is_same(one: Self::Entry, other: Self::Entry) -> bool;
    fn write(line: &[AtomicU64], way: usize, entry: Self::Entry);
    fn clear(line: &[AtomicU64], way: usize);
    fn spill(line: &[AtomicU64]);
    /// Whether entries of which this is the first line may stand in their second.
    fn is_spilled(line: &[AtomicU64]) -> bool;
}

/// Entries of IPv4 from /25 on.
pub(super) enum V4 {}

impl Shape for V4 {
    type Entry = LongEntry;
    const REGION: Region = Region::LinesV4;
    const WAYS: usize = LIST_LINE_WORDS;

    fn lines(entry: LongEntry, head: &ListHead) -> [u32; 2] {
        head.long_lines(entry.address(), entry.length())
    }

    fn read(line: &[AtomicU64], way: usize) -> Option<LongEntry> {
        Some(LongEntry::from_word(load(line, way))).filter(|entry| entry.class() != 0)
    }

    fn is_same(one: LongEntry, other: LongEntry) -> bool {
        one.class_of(other.address(), other.length()) != 0
    }

    fn write(line: &[AtomicU64], way: usize, entry: LongEntry) {
        let word = entry.word();
        let old = load(line, way);
        let word = if LongEntry::is_spilled(old) { LongEntry::spilled(word) } else { word };
        if old != word {
            store(line, way, word);
        }
    }

    fn clear(line: &[AtomicU64], way: usize) {
        let empty = LongEntry::NONE.word();
        store(line, way, if LongEntry::is_spilled(load(line, way)) { LongEntry::spilled(empty) } else { empty });
    }

    fn spill(line: &[AtomicU64]) {
        if !Self::is_spilled(line) {
            store(line, 0, LongEntry::spilled(load(line, 0)));
        }
    }

    fn is_spilled(line: &[AtomicU64]) -> bool {
        LongEntry::is_spilled(load(line, 0))
    }
}

/// Prefixes of IPv6.
pub(super) enum V6 {}

impl Shape for V6 {
    type Entry = (Fingerprint, u32);
    const REGION: Region = Region::LinesV6;
    const WAYS: usize = FINGERPRINTS_PER_LINE;

    fn lines((fingerprint, _): Self::Entry, head: &ListHead) -> [u32; 2] {
        fingerprint.lines(head)
    }

    fn read(line: &[AtomicU64], way: usize) -> Option<Self::Entry> {
        let (word, value) = (load(line, 2 * way), load(line, 2 * way + 1));
        let fingerprint = Fingerprint::from_words(word, value);
        (word != 0).then_some((fingerprint, fingerprint.class_of(word, value)))
    }

    fn is_same((one, _): Self::Entry, (other, _): Self::Entry) -> bool {
        one == other
    }

    /// The value first: whoever finds the fingerprint finds its class.
    fn write(line: &[AtomicU64], way: usize, (fingerprint, class): Self::Entry) {
        let value = fingerprint.value(class);
        let is_spilled = Fingerprint::is_spilled(load(line, 2 * way + 1));
        store(line, 2 * way + 1, if is_spilled { Fingerprint::spilled(value) } else { value });
        store(line, 2 * way, fingerprint.word());
    }

    fn clear(line: &[AtomicU64], way: usize) {
        store(line, 2 * way, 0);
    }

    fn spill(line: &[AtomicU64]) {
        if !Self::is_spilled(line) {
            store(line, 1, Fingerprint::spilled(load(line, 1)));
        }
    }

    fn is_spilled(line: &[AtomicU64]) -> bool {
        Fingerprint::is_spilled(load(line, 1))
    }
}

/// What became of an entry that was to be put.
pub(super) enum Place {
    /// It is in its place.
    Found,
    /// Its lines are full: see [`Lines::settle`].
    Crowded,
    /// The table is.
    Full,
}

/// A table of lines.
pub(super) struct Lines<S: Shape> {
    entries: usize,
    shape: std::marker::PhantomData<fn() -> S>,
}

impl<S: Shape> Default for Lines<S> {
    fn default() -> Self {
        Self { entries: 0, shape: std::marker::PhantomData }
    }
}

/// A line's words.
fn line<S: Shape>(memory: &impl Memory, number: u32) -> &[AtomicU64] {
    &memory.words(S::REGION)[number as usize * LIST_LINE_WORDS..][..LIST_LINE_WORDS]
}

/// Lets the processor fetch the first lines of many entries at once, where it would otherwise wait for each.
pub(super) fn fetch<S: Shape>(memory: &impl Memory, head: &ListHead, entries: impl Iterator<Item = S::Entry>) {
    let words = memory.words(S::REGION);
    let first_words = entries.map(|entry| load(words, S::lines(entry, head)[0] as usize * LIST_LINE_WORDS));
    black_box(first_words.fold(0, u64::wrapping_add));
}

/// The lines of an entry's two in which it may stand.
fn in_use<'a, S: Shape>([first, second]: &[&'a [AtomicU64]; 2]) -> impl Iterator<Item = &'a [AtomicU64]> {
    iter::once(*first).chain(S::is_spilled(first).then_some(*second))
}

fn way_of<S: Shape>(line: &[AtomicU64], entry: S::Entry) -> Option<usize> {
    (0..S::WAYS).find(|&way| S::read(line, way).is_some_and(|other| S::is_same(other, entry)))
}

fn vacant<S: Shape>(line: &[AtomicU64]) -> Option<usize> {
    (0..S::WAYS).find(|&way| S::read(line, way).is_none())
}

impl<S: Shape> Lines<S> {
    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Writes an entry over its former state, or into a vacant place if fewer than `room` are there. `is_new`: it has no
    /// former state.
    pub(super) fn put(
        &mut self,
        memory: &impl Memory,
        head: &ListHead,
        entry: S::Entry,
        is_new: bool,
        room: usize,
    ) -> Place {
        let [first, second] = S::lines(entry, head).map(|number| line::<S>(memory, number));
        if !is_new && self.update(&[first, second], entry) {
            return Place::Found;
        }
        if self.entries == room {
            return Place::Full;
        }
        self.entries += 1;
        if let Some(way) = vacant::<S>(first) {
            S::write(first, way, entry);
            return Place::Found;
        }
        let Some(way) = vacant::<S>(second) else { return Place::Crowded };
        S::spill(first);
        S::write(second, way, entry);
        Place::Found
    }

    /// Writes every copy that there is of an entry.
    fn update(&self, lines: &[&[AtomicU64]; 2], entry: S::Entry) -> bool {
        let mut is_there = false;
        for line in in_use::<S>(lines) {
            if let Some(way) = way_of::<S>(line, entry) {
                S::write(line, way, entry);
                is_there = true;
            }
        }
        is_there
    }

    /// Finds places for entries whose lines are full.
    pub(super) fn settle(
        &mut self,
        memory: &impl Memory,
        head: &ListHead,
        mut pending: Vec<S::Entry>,
        is_quiet: bool,
    ) -> Result<(), Full> {
        for _ in 0..ROUNDS {
            if pending.is_empty() {
                return Ok(());
            }
            let mut moves = Moves { memory, head, claimed: HashSet::new(), writes: Vec::new() };
            pending.retain(|&entry| !moves.admit::<S>(entry));
            if !is_quiet {
                memory.grace();
            }
            for (number, way, entry) in std::mem::take(&mut moves.writes) {
                let [first, _] = S::lines(entry, head);
                if first != number {
                    S::spill(line::<S>(memory, first));
                }
                S::write(line::<S>(memory, number), way, entry);
            }
        }
        if pending.is_empty() { Ok(()) } else { Err(Full) }
    }

    /// Removes entries.
    pub(super) fn remove(&mut self, memory: &impl Memory, head: &ListHead, entries: &[S::Entry]) {
        for entries in entries.chunks(BATCH) {
            fetch::<S>(memory, head, entries.iter().copied());
            for &entry in entries {
                let lines = S::lines(entry, head).map(|number| line::<S>(memory, number));
                let mut was_there = false;
                for line in in_use::<S>(&lines) {
                    if let Some(way) = way_of::<S>(line, entry) {
                        S::clear(line, way);
                        was_there = true;
                    }
                }
                self.entries -= usize::from(was_there);
            }
        }
    }
}

/// A round of moves.
struct Moves<'a, M, E> {
    memory: &'a M,
    head: &'a ListHead,
    /// Places that will be written when the packets are through: line and way.
    claimed: HashSet<(u32, usize)>,
    writes: Vec<(u32, usize, E)>,
}

impl<E: Copy, M: Memory> Moves<'_, M, E> {
    /// Finds a place for an entry; or else, moves somebody so that the next round finds one.
    fn admit<S: Shape<Entry = E>>(&mut self, entry: E) -> bool {
        let places = self.places::<S>(entry);
        for &(number, way, other) in &places {
            if self.leaves::<S>(number, other) {
                self.claim(number, way, entry);
                return true;
            }
        }
        for (number, _, other) in places {
            let away = self.away::<S>(number, other);
            for (number, way, third) in self.in_line::<S>(away) {
                if self.leaves::<S>(number, third) {
                    self.claim(number, way, other);
                    return false;
                }
            }
        }
        false
    }

    fn claim(&mut self, number: u32, way: usize, entry: E) {
        self.claimed.insert((number, way));
        self.writes.push((number, way, entry));
    }

    /// The entries of both lines of an entry, of places that nobody has claimed.
    fn places<S: Shape<Entry = E>>(&self, entry: E) -> Vec<(u32, usize, E)> {
        S::lines(entry, self.head).into_iter().flat_map(|number| self.in_line::<S>(number)).collect()
    }

    fn in_line<S: Shape<Entry = E>>(&self, number: u32) -> Vec<(u32, usize, E)> {
        let line = line::<S>(self.memory, number);
        let ways = (0..S::WAYS).filter(|&way| !self.claimed.contains(&(number, way)));
        ways.filter_map(|way| Some((number, way, S::read(line, way)?))).collect()
    }

    /// The line of an entry's two in which it does not stand.
    fn away<S: Shape<Entry = E>>(&self, number: u32, entry: E) -> u32 {
        let [first, second] = S::lines(entry, self.head);
        if first == number { second } else { first }
    }

    /// Makes sure that an entry also stands in its other line; false if there is no room.
    fn leaves<S: Shape<Entry = E>>(&self, number: u32, entry: E) -> bool {
        let away = self.away::<S>(number, entry);
        let line_away = line::<S>(self.memory, away);
        if away == number {
            return false;
        }
        if let Some(way) = way_of::<S>(line_away, entry) {
            return !self.claimed.contains(&(away, way));
        }
        let Some(way) = vacant::<S>(line_away) else { return false };
        if away != S::lines(entry, self.head)[0] {
            S::spill(line::<S>(self.memory, number));
        }
        S::write(line_away, way, entry);
        true
    }
}
