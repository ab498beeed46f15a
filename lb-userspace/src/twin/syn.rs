//! What SYN protection remembers, in memory, with a clock that stands still until it is told.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use lb_common::{SYN_LINE_WORDS, SynEvent, SynLine, SynSettings};
use lb_ebpf::syn::{Line, Memory, SynTables};

use super::Counts;

/// The memories of one node, and its time.
#[derive(Debug, Default)]
pub struct SynMemory {
    lines: RefCell<BTreeMap<(Memory, u32), SynLine>>,
    now_ms: Cell<u64>,
}

impl SynMemory {
    /// Empty memories at a time.
    pub fn new(now_ms: u64) -> Self {
        Self { lines: RefCell::default(), now_ms: Cell::new(now_ms) }
    }

    /// One line of sources alone, at a time.
    pub fn of_sources(number: u32, line: SynLine, now_ms: u64) -> Self {
        let lines = BTreeMap::from([((Memory::Sources, number), line)]);
        Self { lines: RefCell::new(lines), now_ms: Cell::new(now_ms) }
    }

    /// Lets time pass.
    pub fn pass(&self, milliseconds: u64) {
        self.now_ms.set(self.now_ms.get() + milliseconds);
    }

    /// How many words of a memory are in use.
    pub fn used(&self, memory: Memory) -> usize {
        let lines = self.lines.borrow();
        let of_memory = lines.iter().filter(|((other, _), _)| *other == memory);
        of_memory.flat_map(|(_, line)| line.0).filter(|word| *word != 0).count()
    }
}

/// The memories as the datapath sees them, beside the settings and the counters.
pub(super) struct Syn<'a> {
    pub(super) memory: &'a SynMemory,
    pub(super) settings: &'a SynSettings,
    pub(super) counts: &'a RefCell<Counts>,
}

impl SynTables for Syn<'_> {
    fn syn_settings(&self) -> Option<&SynSettings> {
        Some(self.settings)
    }

    fn now_ms(&self) -> u64 {
        self.memory.now_ms.get()
    }

    fn line(&self, memory: Memory, number: u32) -> Option<impl Line> {
        Some(Place { lines: &self.memory.lines, at: (memory, number & (memory.lines() - 1)) })
    }

    fn count_syn(&self, service: u16, event: SynEvent) {
        *self.counts.borrow_mut().syn.entry((service.into(), event)).or_default() += 1;
    }
}

struct Place<'a> {
    lines: &'a RefCell<BTreeMap<(Memory, u32), SynLine>>,
    at: (Memory, u32),
}

impl Line for Place<'_> {
    fn load(&self, word: u32) -> u64 {
        assert!((word as usize) < SYN_LINE_WORDS);
        self.lines.borrow().get(&self.at).map_or(0, |line| line.0[word as usize])
    }

    fn store(&self, word: u32, value: u64) {
        self.lines.borrow_mut().entry(self.at).or_default().0[word as usize] = value;
    }

    fn replace(&self, word: u32, old: u64, new: u64) -> bool {
        let is_it = self.load(word) == old;
        if is_it {
            self.store(word, new);
        }
        is_it
    }
}
