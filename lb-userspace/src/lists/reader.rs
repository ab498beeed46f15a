//! The tables as the datapath reads them.

use std::{
    mem::offset_of,
    sync::atomic::{AtomicU64, Ordering},
};

use lb_common::{Address, LIST_LINE_WORDS, ListClass, ListHead, ListMatch, MAX_SERVICES};
use lb_ebpf::firewall::lists::{self, Line, ListTable};

use super::{Memory, Region};

const _: () = assert!(offset_of!(ListHead, lengths_v6) == ListHead::LENGTHS_WORD * 8);

/// A reader of tables that somebody may be writing.
pub struct Reader<'a, M> {
    memory: &'a M,
    head: ListHead,
    now_s: u32,
}

impl<'a, M: Memory> Reader<'a, M> {
    /// A reader at a time, in seconds since the machine started.
    pub fn new(memory: &'a M, now_s: u32) -> Self {
        let words: Vec<u64> = memory.words(Region::Head).iter().map(|word| word.load(Ordering::Acquire)).collect();
        let head = zerocopy::FromBytes::read_from_bytes(zerocopy::IntoBytes::as_bytes(words.as_slice()));
        Self { memory, head: head.unwrap_or_default(), now_s }
    }

    /// What the lists say of a source, if only some of them are asked.
    pub fn find(&self, source: &Address, lists: u64) -> ListMatch {
        lists::find(source, lists, self)
    }

    /// The lists that apply to packets for a service, or for none.
    pub fn lists_for(&self, service: Option<u16>) -> u64 {
        self.word(Region::Scopes, service.map_or(MAX_SERVICES, u32::from)).unwrap_or(0)
    }

    fn word(&self, region: Region, index: u32) -> Option<u64> {
        self.memory.words(region).get(index as usize).map(|word| word.load(Ordering::Acquire))
    }

    fn line(&self, region: Region, line: u32) -> Option<&'a [AtomicU64]> {
        self.memory.words(region).get(line as usize * LIST_LINE_WORDS..)?.get(..LIST_LINE_WORDS)
    }
}

impl<M: Memory> ListTable for Reader<'_, M> {
    fn head(&self) -> Option<&ListHead> {
        Some(&self.head)
    }

    fn lengths_v6(&self, word: u32) -> u64 {
        self.word(Region::Head, ListHead::LENGTHS_WORD as u32 + word).unwrap_or(0)
    }

    fn sieve(&self, word: u32) -> Option<u64> {
        self.word(Region::Sieve, word)
    }

    fn hints(&self, word: u32) -> Option<u64> {
        self.word(Region::Hints, word)
    }

    fn dir(&self, word: u32) -> Option<u64> {
        self.word(Region::Dir, word)
    }

    fn block(&self, word: u32) -> Option<u64> {
        self.word(Region::Blocks, word)
    }

    fn singles(&self, line: u32) -> Option<impl Line> {
        self.line(Region::Singles, line).map(Words)
    }

    fn line_v4(&self, line: u32) -> Option<impl Line> {
        self.line(Region::LinesV4, line).map(Words)
    }

    fn line_v6(&self, line: u32) -> Option<impl Line> {
        self.line(Region::LinesV6, line).map(Words)
    }

    fn guard(&self, word: u32) -> Option<u64> {
        self.word(Region::Guards, word)
    }

    fn class(&self, class: u32) -> Option<ListClass> {
        let lists = self.word(Region::Classes, 2 * class)?;
        Some(ListClass { lists, life: self.word(Region::Classes, 2 * class + 1)? })
    }

    fn now_s(&self) -> u32 {
        self.now_s
    }

    fn find_v4(&self, address: u32, lists: u64) -> ListMatch {
        lists::find_v4(address, lists, self)
    }

    fn find_v6(&self, address: &Address, lists: u64) -> ListMatch {
        lists::find_v6(address, lists, self)
    }

    fn around(&self, address: u32, lists: u64) -> ListMatch {
        lists::around(address, lists, self).unwrap_or(ListMatch::NONE)
    }

    fn long(&self, address: u32, length: u32) -> u32 {
        lists::long(address, length, self)
    }

    fn prefix_v6(&self, address: &Address, bits: u32) -> u32 {
        lists::prefix_v6(address, bits, self)
    }

    fn prefixes_v6(&self, address: &Address, lists: u64, lengths: u64) -> ListMatch {
        lists::prefixes_v6(address, lists, lengths, self)
    }

    fn meet(&self, class: u32, lists: u64) -> ListMatch {
        lists::meet(class, lists, self)
    }
}

struct Words<'a>(&'a [AtomicU64]);

impl Line for Words<'_> {
    fn word(&self, number: u32) -> u64 {
        self.0[number as usize].load(Ordering::Acquire)
    }
}
