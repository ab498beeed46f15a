//! Bringing the tables from one state of the lists to another, while packets are looked up in them.
//!
//! Problem: a look-up reads several words one after the other, and the tables change between them; a source whose entry becomes a
//! prefix of another length, or moves to another place, could be missed at both. Mechanism: first everything that is new is
//! added and nothing taken away, then all packets that may have begun before are waited for, and then what is gone is
//! removed. While entries are only added, whatever a look-up sees is at least what was there before; while they are only
//! removed, at least what will be there. Trade-off: a change that adds and removes takes some milliseconds of waiting.

mod classes;
mod hints;
mod lines;
mod long;
mod members;
mod shapes;
mod slots;
mod sweep;

use std::{collections::BTreeMap, sync::Arc};

use lb_common::{Guard, LIST_LENGTH_WORDS, LIST_NAME_BYTES, LIST_SHORT_LENGTH_WORDS, ListHead, MAX_SERVICES};
use zerocopy::IntoBytes;

pub use self::classes::Slots;
use self::{
    classes::Classes,
    hints::Touched,
    lines::Lines,
    members::Members,
    shapes::{Singles, V4, V6},
    slots::SlotTable,
};
use super::{
    Lists, Memory, Net4, Net6, Region, Scopes, Sizes,
    content::{self, changed},
    memory::{load, store},
};

/// The tables are too small for what should be in them: larger ones must be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lists do not fit into their tables")]
pub struct Full;

/// What a step from one state to the next does.
#[derive(Clone, Copy)]
struct Step {
    adds: bool,
    removes: bool,
}

/// A set of tables, and what it holds.
pub struct ListTables<M> {
    memory: M,
    head: ListHead,
    sizes: Sizes,
    held: Arc<Lists>,
    scopes: Scopes,
    classes: Classes,
    slots: SlotTable,
    singles: Lines<Singles>,
    long: Lines<V4>,
    v6: Lines<V6>,
    /// Prefixes of IPv6 that were removed since the guards were last computed.
    stale_guards: usize,
    /// Nobody reads the tables yet.
    is_quiet: bool,
}

impl<M: Memory> ListTables<M> {
    /// Empty tables that nobody reads yet, in memory full of zeros. `slots` are the counters of entries that are there
    /// already, and `names` the lists' names.
    pub fn new(memory: M, sizes: Sizes, seed: [u64; 2], slots: Slots, names: Arc<Lists>) -> Self {
        let head = ListHead::new(seed, sizes.singles, sizes.lines_v4, sizes.lines_v6, sizes.guard_bits);
        let words = memory.words(Region::Head);
        for (index, bytes) in head.as_bytes().as_chunks::<8>().0.iter().enumerate() {
            store(words, index, u64::from_ne_bytes(*bytes));
        }
        Self {
            memory,
            head,
            sizes,
            held: names,
            scopes: Scopes::default(),
            classes: Classes::new(sizes.classes, slots),
            slots: SlotTable::new(sizes.blocks),
            singles: Lines::default(),
            long: Lines::default(),
            v6: Lines::default(),
            stale_guards: 0,
            is_quiet: true,
        }
    }

    /// From now on packets may be looked up in the tables.
    pub const fn publish(&mut self) {
        self.is_quiet = false;
    }

    /// The memory.
    pub const fn memory(&self) -> &M {
        &self.memory
    }

    /// What the tables hold.
    pub const fn held(&self) -> &Arc<Lists> {
        &self.held
    }

    /// How large they are.
    pub const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// The counters of entries.
    pub const fn counted(&self) -> &Slots {
        self.classes.slots()
    }

    /// The scopes in force.
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Puts scopes into force.
    pub fn set_scopes(&mut self, scopes: &Scopes) {
        let words = self.memory.words(Region::Scopes);
        for service in 0..MAX_SERVICES {
            store(words, service as usize, scopes.of(Some(service as u16)));
        }
        store(words, MAX_SERVICES as usize, scopes.of(None));
        self.scopes = scopes.clone();
    }

    /// Brings the tables to what should be on the lists.
    ///
    /// # Errors
    ///
    /// It does not fit: the tables hold something between the two states. Bringing them back fits.
    pub fn bring_to(&mut self, to: &Arc<Lists>) -> Result<(), Full> {
        let both = between(&self.held, to);
        let (adds, removes) = (both != *self.held, both != **to);
        if !self.is_quiet && adds && removes {
            self.step(&Arc::new(both), Step { adds, removes: false })?;
            self.memory.grace();
            return self.step(to, Step { adds: false, removes });
        }
        self.step(to, Step { adds, removes })
    }

    fn step(&mut self, to: &Arc<Lists>, step: Step) -> Result<(), Full> {
        let from = Arc::clone(&self.held);
        let result = self.write(&from, to, step);
        self.held = if result.is_ok() { Arc::clone(to) } else { Arc::new(between(&from, to)) };
        result
    }

    fn write(&mut self, from: &Lists, to: &Lists, step: Step) -> Result<(), Full> {
        let long = changed(from, to, content::LONG);
        let short = changed(from, to, content::SHORT);
        let v6 = changed(from, to, content::V6);
        self.write_names(from, to);
        let doomed = self.put_long(&long, to)?;
        let doomed_v6 = self.put_v6(&v6, to)?;
        let mids = mids(&long);
        self.add_lengths(&mids, to)?;
        let mut touched = Touched::default();
        self.sweep(&short, to, &mut touched)?;
        self.set_lengths(&mids, to)?;
        touched.nets(&long);
        touched.finish();
        if step.adds {
            self.write_hints(&touched, to, true);
        }

        self.remove_long(&doomed);
        if step.removes {
            self.write_hints(&touched, to, false);
        }
        self.remove_v6(&doomed_v6, to);
        self.slots.collapse(&self.memory);
        self.classes.release(&self.memory, to);
        self.clear_names(from, to);
        Ok(())
    }

    /// Writes new and changed prefixes of IPv6; returns those that are to be removed. An entry is written before the bit and the
    /// length that lead to it.
    fn put_v6(&mut self, nets: &[Net6], to: &Lists) -> Result<Vec<Net6>, Full> {
        let Self { memory, head, classes, sizes, .. } = self;
        let mut v6 = self.v6.fill(memory, head, sizes.most_v6());
        let mut members = Members::new(to, content::V6);
        let (mut doomed, mut guards, mut lengths) = (Vec::new(), Vec::new(), [false; 129]);
        for nets in nets.chunks(lines::BATCH) {
            let fingerprint = |net: &Net6| head.fingerprint(&net.address(), net.length().into());
            v6.fetch(nets.iter().map(|net| (fingerprint(net), 0)));
            for &net in nets {
                let class = classes.of(memory, net, members.of(net), 0)?;
                if class == 0 {
                    doomed.push(net);
                    continue;
                }
                v6.put((fingerprint(&net), class))?;
                guards.extend(guards_of(head, net));
                lengths[usize::from(net.length())] = true;
            }
        }
        v6.settle(self.is_quiet)?;
        let words = memory.words(Region::Guards);
        for guard in guards {
            let word = load(words, guard.word as usize);
            if !guard.is_in(word) {
                store(words, guard.word as usize, word | guard.bits);
            }
        }
        for (length, _) in lengths.iter().enumerate().filter(|(_, is_used)| **is_used) {
            use_length(memory, length as u8);
        }
        Ok(doomed)
    }

    fn remove_v6(&mut self, nets: &[Net6], to: &Lists) {
        let Self { memory, head, v6, .. } = self;
        let entries: Vec<_> =
            nets.iter().map(|net| (head.fingerprint(&net.address(), net.length().into()), 0)).collect();
        v6.remove(memory, head, &entries);
        self.stale_guards += nets.len();
        if self.stale_guards > self.sizes.most_v6() / 2 {
            self.refresh_guards(to);
            self.stale_guards = 0;
        }
    }

    /// Computes the guards anew: several may share a bit, so none is cleared when one goes.
    fn refresh_guards(&self, lists: &Lists) {
        let words = self.memory.words(Region::Guards);
        let mut fresh = vec![0_u64; words.len()];
        let nets = lists.0.values().flat_map(|list| list.bulk.v6.iter().chain(&list.own.v6.nets));
        for guard in nets.flat_map(|&net| guards_of(&self.head, net)) {
            fresh[guard.word as usize] |= guard.bits;
        }
        for (index, word) in fresh.into_iter().enumerate() {
            store(words, index, word);
        }
    }

    fn write_names(&self, from: &Lists, to: &Lists) {
        for (&number, list) in &to.0 {
            if from.0.get(&number).is_none_or(|old| old.name != list.name) {
                self.memory.reset_list(number);
                self.write_name(number, &list.name);
            }
        }
    }

    fn clear_names(&self, from: &Lists, to: &Lists) {
        from.0.keys().filter(|number| !to.0.contains_key(number)).for_each(|&number| self.write_name(number, ""));
    }

    fn write_name(&self, number: u32, name: &str) {
        let mut bytes = [0; LIST_NAME_BYTES];
        bytes.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        let first = number as usize * LIST_NAME_BYTES / 8;
        for (index, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
            store(self.memory.words(Region::Names), first + index, u64::from_le_bytes(*word));
        }
    }
}

/// The names in the memory of a former daemon, as lists on which nothing is.
pub fn names(words: &[std::sync::atomic::AtomicU64]) -> Lists {
    let name = |words: &[std::sync::atomic::AtomicU64]| {
        let bytes: Vec<u8> = (0..words.len()).flat_map(|index| load(words, index).to_le_bytes()).collect();
        let bytes: Vec<u8> = bytes.into_iter().take_while(|&byte| byte != 0).collect();
        String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
    };
    let lists = (0..).zip(words.chunks(LIST_NAME_BYTES / 8)).filter_map(|(number, words)| Some((number, name(words)?)));
    Lists(lists.map(|(number, name)| (number, super::List { name, ..super::List::default() })).collect())
}

/// Both states together. That is also what tables hold of which nobody knows how far they have come: what is in either is
/// removed or written again by the next change.
fn between(from: &Lists, to: &Lists) -> Lists {
    let mut lists = BTreeMap::new();
    for (&number, list) in from.0.iter().chain(&to.0) {
        let entry: &mut super::List = lists.entry(number).or_insert_with(|| list.clone());
        if *list != *entry {
            entry.bulk = match [&entry.bulk, &list.bulk] {
                [nothing, all] | [all, nothing] if nothing.is_empty() => Arc::clone(all),
                [one, other] => Arc::new(one.union(other)),
            };
            entry.own = Arc::new(entry.own.union(&list.own));
        }
    }
    Lists(lists)
}

/// The guards that lead to a prefix.
fn guards_of(head: &ListHead, net: Net6) -> impl Iterator<Item = Guard> {
    let (address, bits) = (net.address(), u32::from(net.length()));
    let inside = (bits >= ListHead::BLOCK_BITS).then(|| head.guard_inside(&address));
    inside.into_iter().chain([head.guard(&address, bits)])
}

/// Appends a length of IPv6 prefixes to those in use.
fn use_length(memory: &impl Memory, length: u8) {
    let words = memory.words(Region::Head);
    let is_short = u32::from(length) < ListHead::BLOCK_BITS;
    let kind = if is_short { 0..LIST_SHORT_LENGTH_WORDS } else { LIST_SHORT_LENGTH_WORDS..LIST_LENGTH_WORDS };
    for index in kind.map(|word| ListHead::LENGTHS_WORD + word) {
        let mut bytes = load(words, index).to_le_bytes();
        if let Some(place) = bytes.iter_mut().find(|byte| **byte == 0 || **byte == length + 1) {
            *place = length + 1;
            store(words, index, u64::from_le_bytes(bytes));
            return;
        }
    }
}

/// The /24s in which there are prefixes from /25 to /31.
fn mids(nets: &[Net4]) -> Vec<u32> {
    let mut mids: Vec<u32> = nets.iter().filter(|net| net.length() < 32).map(|net| net.address() >> 8).collect();
    mids.dedup();
    mids
}
