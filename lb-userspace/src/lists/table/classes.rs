//! What entries mean.

use std::collections::HashMap;

use ipnet::IpNet;
use lb_common::{COUNTED_ENTRIES, ListClass, ListLabel};

use super::{Full, members::Member};
use crate::{
    lists::{
        Lists, Memory, Region,
        memory::{load, store},
    },
    model::mapped_bits,
};

/// Classes. Those below [`COUNTED_ENTRIES`] belong to one entry each and change with it; the others are never changed, and
/// stay until the tables are made anew.
pub(super) struct Classes {
    slots: Slots,
    shared: HashMap<ListClass, u32>,
    /// The shared class that was last asked for.
    last: (ListClass, u32),
    next: u32,
    end: u32,
}

/// Whose the counters of entries are: a slot is the number of a class and of a counter.
#[derive(Clone, Debug)]
pub struct Slots {
    taken: HashMap<(u32, IpNet), u32>,
    free: Vec<u32>,
    /// Slots that a packet may still have seen under their former owner.
    resting: Vec<u32>,
}

impl Classes {
    pub(super) fn new(classes: u32, slots: Slots) -> Self {
        Self { slots, shared: HashMap::new(), last: (ListClass::default(), 0), next: COUNTED_ENTRIES, end: classes }
    }

    pub(super) const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The class of a prefix with these members, where `tail` is the class of what else covers it; 0 if nothing does.
    pub(super) fn of(
        &mut self,
        memory: &impl Memory,
        net: impl Into<IpNet> + Copy,
        member: Member<'_>,
        tail: u32,
    ) -> Result<u32, Full> {
        let mut class = tail;
        if member.bulk != 0 {
            class = self.shared(memory, self.flat(memory, member.bulk, tail))?;
        }
        for &(number, expires_s) in member.own.iter().rev() {
            let meaning = ListClass::new(1 << number, expires_s, class);
            class = match self.slots.of(memory, number, net.into()) {
                Some(slot) => {
                    write(memory, slot, meaning);
                    slot
                }
                None => self.shared(memory, meaning)?,
            };
        }
        Ok(class)
    }

    /// Lists over a tail that never expires and has no counter are one class with it.
    fn flat(&self, memory: &impl Memory, lists: u64, tail: u32) -> ListClass {
        if tail >= COUNTED_ENTRIES {
            let class = read(memory, tail);
            if class.expires_s() == 0 {
                return ListClass::new(lists | class.lists, 0, class.next());
            }
        }
        ListClass::new(lists, 0, tail)
    }

    fn shared(&mut self, memory: &impl Memory, meaning: ListClass) -> Result<u32, Full> {
        if self.last.0 != meaning {
            let class = match self.shared.get(&meaning) {
                Some(&class) => class,
                None if self.next == self.end => return Err(Full),
                None => {
                    let class = self.next;
                    write(memory, class, meaning);
                    self.shared.insert(meaning, class);
                    self.next += 1;
                    class
                }
            };
            self.last = (meaning, class);
        }
        Ok(self.last.1)
    }

    /// Lets go of the counters of entries that are no more.
    pub(super) fn release(&mut self, memory: &impl Memory, lists: &Lists) {
        let Slots { taken, resting, .. } = &mut self.slots;
        taken.retain(|&(number, net), &mut slot| {
            let stays = lists.0.get(&number).is_some_and(|list| list.own.has(net));
            if !stays {
                label(memory, slot, ListLabel::default());
                resting.push(slot);
            }
            stays
        });
    }
}

fn read(memory: &impl Memory, class: u32) -> ListClass {
    let (words, first) = (memory.words(Region::Classes), 2 * class as usize);
    ListClass { lists: load(words, first), life: load(words, first + 1) }
}

/// A class that packets may see changes in its second word only.
fn write(memory: &impl Memory, class: u32, meaning: ListClass) {
    let (words, first) = (memory.words(Region::Classes), 2 * class as usize);
    for (index, word) in [(first, meaning.lists), (first + 1, meaning.life)] {
        if load(words, index) != word {
            store(words, index, word);
        }
    }
}

fn label(memory: &impl Memory, slot: u32, label: ListLabel) {
    let words = [label.address[0], label.address[1], label.list_and_bits, label.zero];
    for (index, word) in (slot as usize * words.len()..).zip(words) {
        store(memory.words(Region::Labels), index, word);
    }
}

impl Slots {
    /// Those that a former daemon has given away, if any.
    pub fn read(labels: &[std::sync::atomic::AtomicU64]) -> Self {
        let mut slots = Self { taken: HashMap::new(), free: Vec::new(), resting: Vec::new() };
        // Class 0 means nothing. The lowest slots are given away first.
        for slot in (1..COUNTED_ENTRIES).rev() {
            let [first, second, third, zero] = [0, 1, 2, 3].map(|word| load(labels, 4 * slot as usize + word));
            match owner(ListLabel { address: [first, second], list_and_bits: third, zero }) {
                Some(owner) if !slots.taken.contains_key(&owner) => drop(slots.taken.insert(owner, slot)),
                _ => slots.free.push(slot),
            }
        }
        slots
    }

    /// The slot of an entry.
    pub fn get(&self, number: u32, net: IpNet) -> Option<u32> {
        self.taken.get(&(number, net)).copied()
    }

    /// Whose slot this is.
    pub fn owner(&self, slot: u32) -> Option<(u32, IpNet)> {
        self.taken.iter().find(|(_, taken)| **taken == slot).map(|(&owner, _)| owner)
    }

    /// Every entry that has one.
    pub fn owners(&self) -> impl Iterator<Item = (u32, IpNet)> {
        self.taken.keys().copied()
    }

    /// The slot of an entry, if one can be had: entries beyond them are not counted by themselves.
    fn of(&mut self, memory: &impl Memory, number: u32, net: IpNet) -> Option<u32> {
        if let Some(slot) = self.get(number, net) {
            return Some(slot);
        }
        if self.free.is_empty() && !self.resting.is_empty() {
            memory.grace();
            self.free.append(&mut self.resting);
        }
        let slot = self.free.pop()?;
        memory.reset_entry(slot);
        label(memory, slot, ListLabel::new(number, &net.network().into(), mapped_bits(net)));
        self.taken.insert((number, net), slot);
        Some(slot)
    }
}

/// Whose a label says that a slot is.
fn owner(label: ListLabel) -> Option<(u32, IpNet)> {
    let (number, address, bits) = label.parts()?;
    let before = if address.is_v4() { lb_common::Address::MAPPED_BITS } else { 0 };
    let length = u8::try_from(bits.checked_sub(before)?).ok()?;
    Some((number, IpNet::new(address.into(), length).ok()?))
}
