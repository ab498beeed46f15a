//! Lines of entries: cuckoo hashing with two lines for each key.
//!
//! An entry stands in its first line, or in its second if the first was full; then the first is marked, so that look-ups read
//! the second only where it matters. Where both are full, somebody in them is copied to his other line; once every packet
//! that read there before is through, the newcomer takes his old place. So whoever is on a list is found all the time.

use std::{collections::HashSet, hint::black_box, iter};

use lb_common::{LIST_LINE_WORDS, ListHead};

use super::{
    Full,
    shapes::{Line, Shape},
};
use crate::lists::{Memory, memory::load};

/// Entries whose lines are fetched before the first of them is written.
pub(super) const BATCH: usize = 64;

/// Rounds in which entries make room for others, each of which waits for the packets.
const ROUNDS: usize = 12;

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

/// The lines of an entry's two in which it may stand.
fn in_use<S: Shape>([first, second]: [Line<'_>; 2]) -> impl Iterator<Item = Line<'_>> {
    iter::once(first).chain(S::is_spilled(first).then_some(second))
}

fn way_of<S: Shape>(line: Line<'_>, entry: S::Entry, head: &ListHead) -> Option<usize> {
    (0..S::WAYS).find(|&way| S::holds(line, way, entry, head))
}

fn vacant<S: Shape>(line: Line<'_>) -> Option<usize> {
    (0..S::WAYS).find(|&way| S::is_vacant(line, way))
}

impl<S: Shape> Lines<S> {
    /// Begins to put entries into a table that takes `room` of them.
    pub(super) const fn fill<'a, M: Memory>(
        &'a mut self,
        memory: &'a M,
        head: &'a ListHead,
        room: usize,
    ) -> Filling<'a, S, M> {
        let is_new = self.entries == 0;
        Filling { lines: self, memory, head, room, is_new, crowded: Vec::new() }
    }

    /// Removes entries.
    pub(super) fn remove(&mut self, memory: &impl Memory, head: &ListHead, entries: &[S::Entry]) {
        for entries in entries.chunks(BATCH) {
            fetch::<S>(memory, head, entries.iter().copied());
            for &entry in entries {
                let lines = lines_of::<S>(memory, head, entry);
                let mut was_there = false;
                for line in in_use::<S>(lines) {
                    if let Some(way) = way_of::<S>(line, entry, head) {
                        S::clear(line, way);
                        was_there = true;
                    }
                }
                self.entries -= usize::from(was_there);
            }
        }
    }
}

/// Entries that are being put into a table.
pub(super) struct Filling<'a, S: Shape, M> {
    lines: &'a mut Lines<S>,
    memory: &'a M,
    head: &'a ListHead,
    room: usize,
    /// None of them has a former state.
    is_new: bool,
    /// Those whose lines are full.
    crowded: Vec<S::Entry>,
}

impl<S: Shape, M: Memory> Filling<'_, S, M> {
    /// Lets the processor fetch the first lines of many entries at once, where it would otherwise wait for each.
    pub(super) fn fetch(&self, entries: impl Iterator<Item = S::Entry>) {
        fetch::<S>(self.memory, self.head, entries);
    }

    /// Whether there was an entry of the same key.
    pub(super) fn has(&self, entry: S::Entry) -> bool {
        let lines = || lines_of::<S>(self.memory, self.head, entry);
        !self.is_new && in_use::<S>(lines()).any(|line| way_of::<S>(line, entry, self.head).is_some())
    }

    /// Writes an entry over its former state, or into a vacant place.
    ///
    /// # Errors
    ///
    /// The table has no room for it.
    pub(super) fn put(&mut self, entry: S::Entry) -> Result<(), Full> {
        let [first, second] = lines_of::<S>(self.memory, self.head, entry);
        if !self.is_new && update::<S>([first, second], entry, self.head) {
            return Ok(());
        }
        if self.lines.entries == self.room {
            return Err(Full);
        }
        self.lines.entries += 1;
        if let Some(way) = vacant::<S>(first) {
            S::write(first, way, entry, self.head);
        } else if let Some(way) = vacant::<S>(second) {
            S::spill(first);
            S::write(second, way, entry, self.head);
        } else {
            self.crowded.push(entry);
        }
        Ok(())
    }

    /// Finds places for those whose lines were full.
    ///
    /// # Errors
    ///
    /// Some found none.
    pub(super) fn settle(self, is_quiet: bool) -> Result<(), Full> {
        let Self { memory, head, mut crowded, .. } = self;
        for _ in 0..ROUNDS {
            if crowded.is_empty() {
                return Ok(());
            }
            let mut moves = Moves { memory, head, claimed: HashSet::new(), writes: Vec::new() };
            crowded.retain(|&entry| !moves.admit::<S>(entry));
            if !is_quiet {
                memory.grace();
            }
            for (number, way, entry) in std::mem::take(&mut moves.writes) {
                let [first, _] = S::lines(entry, head);
                if first != number {
                    S::spill(Line::of::<S>(memory, first));
                }
                S::write(Line::of::<S>(memory, number), way, entry, head);
            }
        }
        if crowded.is_empty() { Ok(()) } else { Err(Full) }
    }
}

fn fetch<S: Shape>(memory: &impl Memory, head: &ListHead, entries: impl Iterator<Item = S::Entry>) {
    let words = memory.words(S::REGION);
    let first_words = entries.map(|entry| load(words, S::lines(entry, head)[0] as usize * LIST_LINE_WORDS));
    black_box(first_words.fold(0, u64::wrapping_add));
}

/// The two lines of an entry.
fn lines_of<'a, S: Shape>(memory: &'a impl Memory, head: &ListHead, entry: S::Entry) -> [Line<'a>; 2] {
    S::lines(entry, head).map(|number| Line::of::<S>(memory, number))
}

/// Writes every copy that there is of an entry.
fn update<S: Shape>(lines: [Line<'_>; 2], entry: S::Entry, head: &ListHead) -> bool {
    let mut is_there = false;
    for line in in_use::<S>(lines) {
        if let Some(way) = way_of::<S>(line, entry, head) {
            S::write(line, way, entry, head);
            is_there = true;
        }
    }
    is_there
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
        let line = Line::of::<S>(self.memory, number);
        let ways = (0..S::WAYS).filter(|&way| !self.claimed.contains(&(number, way)));
        ways.filter_map(|way| Some((number, way, S::read(line, way, self.head)?))).collect()
    }

    /// The line of an entry's two in which it does not stand.
    fn away<S: Shape<Entry = E>>(&self, number: u32, entry: E) -> u32 {
        let [first, second] = S::lines(entry, self.head);
        if first == number { second } else { first }
    }

    /// Makes sure that an entry also stands in its other line; false if there is no room.
    fn leaves<S: Shape<Entry = E>>(&self, number: u32, entry: E) -> bool {
        let away = self.away::<S>(number, entry);
        let line_away = Line::of::<S>(self.memory, away);
        if away == number {
            return false;
        }
        if let Some(way) = way_of::<S>(line_away, entry, self.head) {
            return !self.claimed.contains(&(away, way));
        }
        let Some(way) = vacant::<S>(line_away) else { return false };
        if away != S::lines(entry, self.head)[0] {
            S::spill(Line::of::<S>(self.memory, number));
        }
        S::write(line_away, way, entry, self.head);
        true
    }
}
