//! Where the tables stand.

use std::sync::atomic::{AtomicU64, Ordering};

use lb_common::{
    COUNTED_ENTRIES, LIST_BLOCK_WORDS, LIST_DIR_WORDS, LIST_HINT_WORDS, LIST_LINE_WORDS, LIST_NAME_BYTES,
    LIST_SIEVE_WORDS, ListClass, ListHead, ListLabel, MAX_LISTS, MAX_SERVICES,
};

use super::Sizes;

/// A table of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// See [`ListHead`].
    Head,
    /// A bit for each /22.
    Sieve,
    /// What there is in each /24.
    Hints,
    /// A slot for each /20.
    Dir,
    /// Slots for the /24s of a /20.
    Blocks,
    /// Lines of single addresses of IPv4.
    Singles,
    /// Lines of other long entries of IPv4.
    LinesV4,
    /// Lines of fingerprints.
    LinesV6,
    /// Bits that say which prefixes of IPv6 there may be.
    Guards,
    /// What entries mean.
    Classes,
    /// Which lists apply to which services.
    Scopes,
    /// Whose the counters of entries are.
    Labels,
    /// The names of the lists.
    Names,
}

impl Region {
    /// Those of which each set of tables has its own.
    pub const OF_A_SET: [Self; 11] = [
        Self::Head,
        Self::Sieve,
        Self::Hints,
        Self::Dir,
        Self::Blocks,
        Self::Singles,
        Self::LinesV4,
        Self::LinesV6,
        Self::Guards,
        Self::Classes,
        Self::Scopes,
    ];

    /// Those that outlive a set, and the daemon.
    pub const PINNED: [Self; 2] = [Self::Labels, Self::Names];

    /// The name of its map.
    pub const fn map(self) -> &'static str {
        match self {
            Self::Head => "list_head",
            Self::Sieve => "list_sieve",
            Self::Hints => "list_hints",
            Self::Dir => "list_dir",
            Self::Blocks => "list_blocks",
            Self::Singles => "list_singles",
            Self::LinesV4 => "list_lines_v4",
            Self::LinesV6 => "list_lines_v6",
            Self::Guards => "list_guards",
            Self::Classes => "list_classes",
            Self::Scopes => "list_scopes",
            Self::Labels => "list_labels",
            Self::Names => "list_names",
        }
    }

    /// Words of an element of its map.
    const fn element_words(self) -> usize {
        let bytes = match self {
            Self::Head => size_of::<ListHead>(),
            Self::Singles | Self::LinesV4 | Self::LinesV6 => LIST_LINE_WORDS * 8,
            Self::Classes => size_of::<ListClass>(),
            Self::Labels => size_of::<ListLabel>(),
            Self::Names => LIST_NAME_BYTES,
            Self::Sieve | Self::Hints | Self::Dir | Self::Blocks | Self::Guards | Self::Scopes => 8,
        };
        bytes / 8
    }

    /// Elements of its map.
    pub const fn elements(self, sizes: &Sizes) -> u32 {
        match self {
            Self::Head => 1,
            Self::Sieve => LIST_SIEVE_WORDS,
            Self::Hints => LIST_HINT_WORDS,
            Self::Dir => LIST_DIR_WORDS,
            Self::Blocks => sizes.blocks * LIST_BLOCK_WORDS,
            Self::Singles => sizes.singles,
            Self::LinesV4 => sizes.lines_v4,
            Self::LinesV6 => sizes.lines_v6,
            Self::Guards => 1 << (sizes.guard_bits - 6),
            Self::Classes => sizes.classes,
            Self::Scopes => MAX_SERVICES + 1,
            Self::Labels => COUNTED_ENTRIES,
            Self::Names => MAX_LISTS,
        }
    }

    /// Words of its map.
    pub const fn words(self, sizes: &Sizes) -> usize {
        self.elements(sizes) as usize * self.element_words()
    }
}

/// A set of tables that somebody reads while it is written.
pub trait Memory {
    /// The words of a table.
    fn words(&self, region: Region) -> &[AtomicU64];

    /// Waits until every packet that may have read what stood in the tables before is through.
    fn grace(&self);

    /// Lets the counters of an entry begin at zero.
    fn reset_entry(&self, slot: u32);

    /// Lets the counters of a list begin at zero.
    fn reset_list(&self, number: u32);
}

/// Reads a word.
pub(super) fn load(words: &[AtomicU64], index: usize) -> u64 {
    words[index].load(Ordering::Relaxed)
}

/// Writes a word behind all that was written before.
pub(super) fn store(words: &[AtomicU64], index: usize, word: u64) {
    words[index].store(word, Ordering::Release);
}

/// Tables on the heap that nobody reads while they are written.
pub struct Heap {
    regions: Vec<Box<[AtomicU64]>>,
}

impl Heap {
    /// Empty tables.
    pub fn new(sizes: &Sizes) -> Self {
        let regions = Region::OF_A_SET.into_iter().chain(Region::PINNED);
        let zeros = |region: Region| std::iter::repeat_with(AtomicU64::default).take(region.words(sizes)).collect();
        Self { regions: regions.map(zeros).collect() }
    }
}

impl Memory for Heap {
    fn words(&self, region: Region) -> &[AtomicU64] {
        &self.regions[region as usize]
    }

    fn grace(&self) {}

    fn reset_entry(&self, _: u32) {}

    fn reset_list(&self, _: u32) {}
}
