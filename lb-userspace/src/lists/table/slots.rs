//! Slots: what covers a /20, or, in blocks, each of its /24s.

use std::sync::atomic::AtomicU64;

use lb_common::{Hint, Slot, SlotPlace};

use super::Full;
use crate::lists::{
    Memory, Region,
    memory::{load, store},
};

const PER_BLOCK: u32 = Slot::PER_BLOCK;

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
        slots_of(memory, slash24 / PER_BLOCK)[(slash24 % PER_BLOCK) as usize]
    }

    /// Writes the slot of a /24.
    pub(super) fn set(&mut self, memory: &impl Memory, slash24: u32, slot: Slot) -> Result<(), Full> {
        self.change(memory, slash24, slash24 + 1, |_| slot)
    }

    /// Writes the class of some /24s, and leaves the lengths behind it alone.
    pub(super) fn set_class(&mut self, memory: &impl Memory, mut from: u32, to: u32, class: u32) -> Result<(), Full> {
        while from < to {
            let end = to.min((from / PER_BLOCK + 1) * PER_BLOCK);
            let place = SlotPlace::in_dir(from / PER_BLOCK);
            if end - from == PER_BLOCK && read(memory.words(Region::Dir), place).as_block().is_none() {
                write(memory.words(Region::Dir), place, Slot::new(class, 0));
            } else {
                self.change(memory, from, end, |slot| Slot::new(class, slot.lengths()))?;
            }
            from = end;
        }
        Ok(())
    }

    /// Changes the slots of some /24s of one /20.
    fn change(&mut self, memory: &impl Memory, from: u32, end: u32, new: impl Fn(Slot) -> Slot) -> Result<(), Full> {
        let slash20 = from / PER_BLOCK;
        let mut slots = slots_of(memory, slash20);
        let changed = &mut slots[(from % PER_BLOCK) as usize..][..(end - from) as usize];
        if changed.iter().all(|slot| new(*slot) == *slot) {
            return Ok(());
        }
        changed.iter_mut().for_each(|slot| *slot = new(*slot));
        let (dir, place) = (memory.words(Region::Dir), SlotPlace::in_dir(slash20));
        if let Some(block) = read(dir, place).as_block() {
            write_block(memory, block, &slots);
            self.note(slash20);
        } else if let Some(slot) = Slot::of_slash20(&slots) {
            write(dir, place, slot);
        } else {
            let block = self.take(memory)?;
            write_block(memory, block, &slots);
            write(dir, place, Slot::block(block));
            self.note(slash20);
        }
        Ok(())
    }

    fn note(&mut self, slash20: u32) {
        if self.changed.last() != Some(&slash20) {
            self.changed.push(slash20);
        }
    }

    /// Lets go of blocks whose slots the slot of the /20 can say.
    pub(super) fn collapse(&mut self, memory: &impl Memory) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for slash20 in changed {
            let place = SlotPlace::in_dir(slash20);
            let Some(block) = read(memory.words(Region::Dir), place).as_block() else { continue };
            if let Some(slot) = Slot::of_slash20(&slots_of(memory, slash20)) {
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
    let slash20s = (first / PER_BLOCK..).take((Hint::PER_WORD / PER_BLOCK) as usize);
    let slots = slash20s.flat_map(|slash20| slots_of(memory, slash20));
    slots.enumerate().fold(0, |bits, (number, slot)| bits | u32::from(!slot.is_empty()) << number)
}

/// The slots of the /24s of a /20.
fn slots_of(memory: &impl Memory, slash20: u32) -> [Slot; PER_BLOCK as usize] {
    let all = read(memory.words(Region::Dir), SlotPlace::in_dir(slash20));
    let blocks = memory.words(Region::Blocks);
    std::array::from_fn(|number| match all.as_block() {
        Some(block) => read(blocks, SlotPlace::in_block(block, number as u32)),
        None => all.at(number as u32),
    })
}

fn write_block(memory: &impl Memory, block: u32, slots: &[Slot; PER_BLOCK as usize]) {
    for (number, slot) in (0..).zip(slots) {
        write(memory.words(Region::Blocks), SlotPlace::in_block(block, number), *slot);
    }
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
