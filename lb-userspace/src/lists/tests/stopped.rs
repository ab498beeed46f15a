//! A look-up that stops in its midst, while others wait for it, and goes on.
//!
//! Two threads hardly ever meet so. Here the tables are copied whenever somebody waits for the packets: a look-up reads
//! its first words in one copy, and the others in the next, wherever it is cut.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::readers::{crowding, published, state, usual};
use crate::lists::{Heap, Lists, Memory, Reader, Region, Sizes};

/// Tables, and how they were whenever somebody waited.
struct Recorded {
    sizes: Sizes,
    heap: Heap,
    copies: RefCell<Vec<Heap>>,
}

impl Recorded {
    fn record(&self) {
        let copy = Heap::new(&self.sizes);
        for region in Region::OF_A_SET {
            let words = self.heap.words(region).iter().zip(copy.words(region));
            words.for_each(|(word, copy)| copy.store(word.load(Ordering::Relaxed), Ordering::Relaxed));
        }
        self.copies.borrow_mut().push(copy);
    }
}

impl Memory for &Recorded {
    fn words(&self, region: Region) -> &[AtomicU64] {
        self.heap.words(region)
    }

    fn grace(&self) {
        self.record();
    }

    fn reset_entry(&self, _: u32) {}

    fn reset_list(&self, _: u32) {}
}

/// Two copies, of which the first is read only so many times.
struct Cut<'a> {
    copies: [&'a Heap; 2],
    left: Cell<u32>,
}

impl Memory for Cut<'_> {
    fn words(&self, region: Region) -> &[AtomicU64] {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        self.copies[usize::from(left == 0)].words(region)
    }

    fn grace(&self) {}

    fn reset_entry(&self, _: u32) {}

    fn reset_list(&self, _: u32) {}
}

/// Cuts a look-up wherever it can be cut.
fn look(copies: [&Heap; 2], source: IpAddr) {
    for first in 1.. {
        let cut = Cut { copies, left: Cell::new(first) };
        let found = Reader::new(&cut, 1000).find(&source.into(), u64::MAX);
        assert!(!found.is_none(), "{source} has passed, with {first} reads before the change and the others behind it");
        if cut.left.get() > 0 {
            return;
        }
    }
}

fn while_changing(sizes: Sizes, rounds: u32, state: impl Fn(u32) -> Arc<Lists>, sources: &[IpAddr]) {
    let memory = Recorded { sizes, heap: Heap::new(&sizes), copies: RefCell::default() };
    let mut tables = published(&memory, sizes, &state(0));
    memory.record();
    for round in 1..rounds {
        tables.bring_to(&state(round)).unwrap();
        if round + 1 == rounds {
            memory.record();
        }
        let mut copies = memory.copies.take();
        for copies in copies.windows(2) {
            sources.iter().for_each(|&source| look([&copies[0], &copies[1]], source));
        }
        // Who began behind the last wait may still be there at the next, which may be of another change.
        memory.copies.replace(copies.split_off(copies.len() - 1));
    }
}

#[test]
fn who_is_listed_is_found_wherever_a_look_up_stops() {
    let (sizes, sources, sometimes) = usual();
    while_changing(sizes, 6, |round| state(round, &sources, &sometimes), &sources);
}

#[test]
fn single_addresses_are_found_wherever_a_look_up_stops() {
    let (sizes, state, sources) = crowding();
    while_changing(sizes, 6, state, &sources);
}
