//! The flow table in memory.

use std::cell::RefCell;

use lb_common::{Entry, FLOW_WAYS, Tick};
use lb_ebpf::balance::flows::{FlowSet, FlowTable};
use lb_userspace::plan::Snapshot;

/// One set, which every flow falls into: a packet at a time needs no more.
#[derive(Debug, Default)]
pub(super) struct OneSet {
    words: RefCell<[u64; FLOW_WAYS]>,
}

/// The set, beside the snapshot that says which backends serve.
pub(super) struct Flows<'a> {
    pub(super) set: &'a OneSet,
    pub(super) snapshot: &'a Snapshot,
}

impl FlowTable for Flows<'_> {
    fn set(&self, _: u64) -> Option<impl FlowSet> {
        Some(self.set)
    }

    fn now(&self) -> Tick {
        Tick::from_seconds(0)
    }

    fn note_overflow(&self, _: u32) {}

    fn duties(&self, slot: u16) -> u8 {
        self.snapshot.backends.get(&slot).map_or(0, |backend| backend.flags)
    }
}

impl FlowSet for &OneSet {
    fn entry(&self, way: u32) -> Entry {
        Entry::from_word(self.words.borrow()[way as usize])
    }

    fn replace(&self, way: u32, old: Entry, new: Entry) -> bool {
        let word = &mut self.words.borrow_mut()[way as usize];
        let is_same = *word == old.word();
        if is_same {
            *word = new.word();
        }
        is_same
    }
}
