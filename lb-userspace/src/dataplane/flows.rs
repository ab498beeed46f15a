//! The flow table, mapped into this process: read and written with plain atomic accesses, beside the datapath.
//!
//! A scan of the whole table (8 MiB) takes a few milliseconds this way, where a system call for each set would take
//! thirty times as long, and an entry can be removed only if it is still what it was.

use std::{
    os::fd::{AsFd, BorrowedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::{Map, MapError};
use lb_common::{Entry, FLOW_SETS, FLOW_WAYS};

/// How many entries the table has room for.
pub const FLOW_ENTRIES: usize = FLOW_SETS as usize * FLOW_WAYS;

/// The flow table.
pub struct FlowTable {
    words: NonNull<AtomicU64>,
    // Keeps the map alive; the mapping alone would too, but then nobody could tell whose it is.
    _map: Map,
}

// SAFETY: the words are atomics, which any thread may use.
unsafe impl Send for FlowTable {}
// SAFETY: as above.
unsafe impl Sync for FlowTable {}

impl FlowTable {
    /// Maps the table.
    pub(super) fn map(map: Map) -> Result<Self, MapError> {
        let Map::Array(data) = &map else { return Err(MapError::InvalidMapType { map_type: 0 }) };
        let words = map_shared(data.fd().as_fd()).map_err(MapError::IoError)?;
        Ok(Self { words, _map: map })
    }

    /// Every entry, with the means to remove it.
    pub fn entries(&self) -> impl Iterator<Item = Occupied<'_>> {
        self.words().iter().filter_map(Occupied::at)
    }

    /// The entries of the set of a hash.
    pub fn set(&self, hash: u64) -> [Entry; FLOW_WAYS] {
        let first = (hash as u32 & (FLOW_SETS - 1)) as usize * FLOW_WAYS;
        std::array::from_fn(|way| Entry::from_word(self.words()[first + way].load(Ordering::Relaxed)))
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has this many words and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), FLOW_ENTRIES) }
    }
}

impl Drop for FlowTable {
    fn drop(&mut self) {
        // SAFETY: `map_shared` made this mapping, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.words.as_ptr().cast(), FLOW_ENTRIES * size_of::<u64>()) };
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

fn map_shared(map: BorrowedFd<'_>) -> std::io::Result<NonNull<AtomicU64>> {
    use std::os::fd::AsRawFd;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping of a descriptor that is open; the kernel chooses the place and checks the length.
    let address = unsafe {
        libc::mmap(ptr::null_mut(), FLOW_ENTRIES * size_of::<u64>(), protection, libc::MAP_SHARED, map.as_raw_fd(), 0)
    };
    if address == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    NonNull::new(address.cast()).ok_or_else(|| std::io::Error::other("mapped at address 0"))
}
