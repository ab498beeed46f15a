//! Slots: what covers a /20, or, in blocks, each of its /24s.

use std::sync::atomic::AtomicU64;

use lb_common::{Hint, LIST_BLOCK_WORDS, Slot, SlotPlace};

use super::Full;
use crate::lists::{
    Memory, Region,
    memory::{load, store},
};

/// /24s of a /20.
pub(super) const PER_BLOCK: u32 = 16;

/// The slots, and which blocks are in use.
pub(super) struct SlotTable {
    free: Vec<u32>,
    /// Blocks that a packet may still be reading.
    resting: Vec<u32>,
    /// The first that was never used.
    next: u32,
    end: u32,
    /// The /20s whose blocks have changed, mostly in order.
    changed: Vec<u32>,
}

impl SlotTable {
    pub(super) const fn new(blocks: u32) -> Self {
        Self { free: Vec::new(), resting: Vec::new(), next: 0, end: blocks, changed: Vec::new() }
    }

    /// The slot of a /24.
    pub(super) fn of(memory: &impl Memory, slash24: u32) -> Slot {
        let slot = read(memory.words(Region::Dir), SlotPlace::in_dir(slash24 / PER_BLOCK));
        match slot.as_block() {
            Some(block) => read(memory.words(Region::Blocks), SlotPlace::in_block(block, slash24)),
            None => slot,
        }
    }

    /// Writes the slot of a /24.
    pub(super) fn set(&mut self, memory: &impl Memory, slash24: u32, slot: Slot) -> Result<(), Full> {
        let slash20 = slash24 / PER_BLOCK;
        let all = read(memory.words(Region::Dir), SlotPlace::in_dir(slash20));
        if let Some(block) = all.as_block() {
            self.note(slash20);
            write(memory.words(Region::Blocks), SlotPlace::in_block(block, slash24), slot);
        } else if all != slot {
            let block = self.take(memory)?;
            for other in slash20 * PER_BLOCK..(slash20 + 1) * PER_BLOCK {
                let slot = if other == slash24 { slot } else { all };
                write(memory.words(Region::Blocks), SlotPlace::in_block(block, other), slot);
            }
            write(memory.words(Region::Dir), SlotPlace::in_dir(slash20), Slot::block(block));
            self.note(slash20);
        }
        Ok(())
    }

    /// Writes the class of some /24s, and leaves the lengths behind it alone.
    pub(super) fn set_class(&mut self, memory: &impl Memory, mut from: u32, to: u32, class: u32) -> Result<(), Full> {
        while from < to {
            let place = SlotPlace::in_dir(from / PER_BLOCK);
            let is_whole = from.is_multiple_of(PER_BLOCK) && to - from >= PER_BLOCK;
            if is_whole && read(memory.words(Region::Dir), place).as_block().is_none() {
                write(memory.words(Region::Dir), place, Slot::new(class, 0));
                from += PER_BLOCK;
            } else {
                let lengths = Self::of(memory, from).lengths();
                self.set(memory, from, Slot::new(class, lengths))?;
                from += 1;
            }
        }
        Ok(())
    }

    fn note(&mut self, slash20: u32) {
        if self.changed.last() != Some(&slash20) {
            self.changed.push(slash20);
        }
    }

    /// Lets go of blocks whose slots have become the same.
    pub(super) fn collapse(&mut self, memory: &impl Memory) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for place in changed.into_iter().map(SlotPlace::in_dir) {
            let Some(block) = read(memory.words(Region::Dir), place).as_block() else { continue };
            let mut slots = slots_of(memory, block);
            let slot = slots.next().unwrap_or_default();
            if slot.lengths() == 0 && slots.all(|other| other == slot) {
                write(memory.words(Region::Dir), place, slot);
                self.resting.push(block);
            }
        }
    }

    fn take(&mut self, memory: &impl Memory) -> Result<u32, Full> {
        if self.free.is_empty() && self.next == self.end && !self.resting.is_empty() {
            memory.grace();
            self.free.append(&mut self.resting);
        }
        if let Some(block) = self.free.pop() {
            return Ok(block);
        }
        if self.next == self.end {
            return Err(Full);
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}

/// Whether the slots of the /24s of a word of hints say anything, a bit each.
pub(super) fn in_use(memory: &impl Memory, first: u32) -> u32 {
    let mut bits = 0;
    for (number, slash20) in (first / PER_BLOCK..).take((Hint::PER_WORD / PER_BLOCK) as usize).enumerate() {
        let slot = read(memory.words(Region::Dir), SlotPlace::in_dir(slash20));
        let sixteen = match slot.as_block() {
            Some(block) => in_use_of(memory, block),
            None if slot.is_empty() => 0,
            None => 0xffff,
        };
        bits |= sixteen << (16 * number);
    }
    bits
}

fn in_use_of(memory: &impl Memory, block: u32) -> u32 {
    slots_of(memory, block).enumerate().fold(0, |bits, (number, slot)| bits | u32::from(!slot.is_empty()) << number)
}

/// The slots of a block.
fn slots_of(memory: &impl Memory, block: u32) -> impl Iterator<Item = Slot> {
    let first = (block * LIST_BLOCK_WORDS) as usize;
    let words = memory.words(Region::Blocks)[first..][..LIST_BLOCK_WORDS as usize].iter();
    words.flat_map(|word| {
        let word = load(std::slice::from_ref(word), 0);
        [0, 1].map(|half| Slot::of_word(word, SlotPlace { word: 0, half }))
    })
}

fn read(words: &[AtomicU64], place: SlotPlace) -> Slot {
    Slot::of_word(load(words, place.word as usize), place)
}

fn write(words: &[AtomicU64], place: SlotPlace, slot: Slot) {
    let old = load(words, place.word as usize);
    let new = slot.into_word(old, place);
    if new != old {
        store(words, place.word as usize, new);
    }
}
