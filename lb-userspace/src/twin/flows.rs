//! The flow table in memory, with a clock that stands still until it is told.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use lb_common::{Entry, FLOW_WAYS, Tick};
use lb_ebpf::balance::flows::{FlowSet, FlowTable};

use crate::{dataplane::Occupied, plan::Snapshot};

/// The flow table of one node, and its time.
#[derive(Debug)]
pub struct FlowMemory {
    words: Vec<AtomicU64>,
    now_s: Cell<u64>,
    /// By service id: the second in which a flow last found no room.
    overflowed_s: RefCell<BTreeMap<u32, u64>>,
}

impl FlowMemory {
    /// An empty table of so many sets, a power of two, at a time.
    pub fn new(sets: usize, now_s: u64) -> Self {
        assert!(sets.is_power_of_two());
        let words = std::iter::repeat_with(AtomicU64::default).take(sets * FLOW_WAYS).collect();
        Self { words, now_s: Cell::new(now_s), overflowed_s: RefCell::default() }
    }

    /// A table of this one set, at a time.
    pub fn of_set(entries: [Entry; FLOW_WAYS], now_s: u64) -> Self {
        let words = entries.map(|entry| AtomicU64::new(entry.word())).into();
        Self { words, now_s: Cell::new(now_s), overflowed_s: RefCell::default() }
    }

    /// The time, in seconds.
    pub const fn now_s(&self) -> u64 {
        self.now_s.get()
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.now_s.set(self.now_s() + seconds);
    }

    /// How many entries there is room for.
    pub const fn room(&self) -> usize {
        self.words.len()
    }

    /// Every entry, as a scan sees it.
    pub fn entries(&self) -> impl Iterator<Item = Occupied<'_>> {
        self.words.iter().filter_map(Occupied::at)
    }

    /// The entry of the flow with this hash.
    pub fn entry_of(&self, hash: u64) -> Option<Entry> {
        let entries = self.set_of(hash).iter().map(|word| Entry::from_word(word.load(Relaxed)));
        entries.into_iter().find(|entry| entry.is_of(hash))
    }

    /// By service id: the second in which a flow last found no room.
    pub fn overflowed_s(&self) -> BTreeMap<u32, u64> {
        self.overflowed_s.borrow().clone()
    }

    /// The set where a flow with this hash would be.
    pub(super) fn set(&self, hash: u64) -> impl FlowSet {
        Set(self.set_of(hash))
    }

    fn set_of(&self, hash: u64) -> &[AtomicU64] {
        let sets = self.words.len() / FLOW_WAYS;
        let first = (hash as usize & (sets - 1)) * FLOW_WAYS;
        &self.words[first..first + FLOW_WAYS]
    }
}

/// The table as the datapath sees it, beside the snapshot that says which backends serve.
pub(super) struct Flows<'a> {
    pub(super) memory: &'a FlowMemory,
    pub(super) snapshot: &'a Snapshot,
}

impl FlowTable for Flows<'_> {
    fn set(&self, hash: u64) -> Option<impl FlowSet> {
        Some(self.memory.set(hash))
    }

    fn now(&self) -> Tick {
        Tick::from_seconds(self.memory.now_s())
    }

    fn note_overflow(&self, service: u32) {
        self.memory.overflowed_s.borrow_mut().insert(service, self.memory.now_s());
    }

    fn duties(&self, slot: u16) -> u8 {
        self.snapshot.backends.get(&slot).map_or(0, |backend| backend.flags)
    }
}

struct Set<'a>(&'a [AtomicU64]);

impl FlowSet for Set<'_> {
    fn entry(&self, way: u32) -> Entry {
        Entry::from_word(self.0[way as usize].load(Relaxed))
    }

    fn replace(&self, way: u32, old: Entry, new: Entry) -> bool {
        self.0[way as usize].compare_exchange(old.word(), new.word(), Relaxed, Relaxed).is_ok()
    }
}
