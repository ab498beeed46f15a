//! The flow table, mapped into this process.
//!
//! A scan of the whole table (8 MiB) takes a few milliseconds this way, where a system call for each set would take
//! thirty times as long, and an entry can be removed only if it is still what it was.

use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{Map, MapError};
use lb_common::{Entry, FLOW_SETS, FLOW_WAYS};

use super::mapped::Mapped;

/// How many entries the table has room for.
pub const FLOW_ENTRIES: usize = FLOW_SETS as usize * FLOW_WAYS;

/// The flow table.
pub struct FlowTable(Mapped);

impl FlowTable {
    /// Maps the table.
    pub(super) fn map(map: Map) -> Result<Self, MapError> {
        Mapped::new(map, FLOW_ENTRIES).map(Self)
    }

    /// Every entry, with the means to remove it.
    pub fn entries(&self) -> impl Iterator<Item = Occupied<'_>> {
        self.0.words().iter().filter_map(Occupied::at)
    }

    /// The entries of the set of a hash.
    pub fn set(&self, hash: u64) -> [Entry; FLOW_WAYS] {
        let first = (hash as u32 & (FLOW_SETS - 1)) as usize * FLOW_WAYS;
        std::array::from_fn(|way| Entry::from_word(self.0.words()[first + way].load(Ordering::Relaxed)))
    }
}

/// An entry in its place.
#[derive(Debug)]
pub struct Occupied<'a> {
    word: &'a AtomicU64,
    /// The entry as it was read.
    pub entry: Entry,
}

impl<'a> Occupied<'a> {
    /// The entry in a word of a set, if there is one.
    pub fn at(word: &'a AtomicU64) -> Option<Self> {
        let entry = Entry::from_word(word.load(Ordering::Relaxed));
        (!entry.is_empty()).then_some(Self { word, entry })
    }

    /// Removes the entry. If the datapath has changed it meanwhile, it stays, and what it has become is returned.
    pub fn remove(self) -> Option<Self> {
        let (old, new) = (self.entry.word(), Entry::EMPTY.word());
        let removed = self.word.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
        removed.err().and_then(|_| Self::at(self.word))
    }
}
