//! What stands in lines, and how.

use std::sync::atomic::AtomicU64;

use lb_common::{FINGERPRINTS_PER_LINE, Fingerprint, LIST_LINE_WORDS, ListHead, LongEntry, Single, SingleEntry};

use crate::lists::{
    Memory, Region,
    memory::{load, store},
};

/// A line: its number, and its words.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: u32,
    pub(super) words: &'a [AtomicU64],
}

impl<'a> Line<'a> {
    /// A line of the table of a shape.
    pub(super) fn of<S: Shape>(memory: &'a impl Memory, number: u32) -> Self {
        Self { number, words: &memory.words(S::REGION)[number as usize * LIST_LINE_WORDS..][..LIST_LINE_WORDS] }
    }

    fn load(self, index: usize) -> u64 {
        load(self.words, index)
    }

    fn store(self, index: usize, word: u64) {
        if self.load(index) != word {
            store(self.words, index, word);
        }
    }
}

/// What stands in lines, and how.
pub(super) trait Shape {
    /// An entry.
    type Entry: Copy;
    /// The table.
    const REGION: Region;
    /// Entries of a line.
    const WAYS: usize;

    fn lines(entry: Self::Entry, head: &ListHead) -> [u32; 2];
    fn read(line: Line<'_>, way: usize, head: &ListHead) -> Option<Self::Entry>;
    fn is_vacant(line: Line<'_>, way: usize) -> bool;
    /// Whether an entry stands there, maybe with another class.
    fn holds(line: Line<'_>, way: usize, entry: Self::Entry, head: &ListHead) -> bool;
    fn write(line: Line<'_>, way: usize, entry: Self::Entry, head: &ListHead);
    fn clear(line: Line<'_>, way: usize);
    fn spill(line: Line<'_>);
    /// Whether entries of which this is the first line may stand in their second.
    fn is_spilled(line: Line<'_>) -> bool;
}

/// Single addresses of IPv4, and their codes.
pub(super) enum Singles {}

impl Shape for Singles {
    type Entry = (Single, u32);
    const REGION: Region = Region::Singles;
    const WAYS: usize = SingleEntry::PER_LINE;

    fn lines((single, _): Self::Entry, head: &ListHead) -> [u32; 2] {
        single.lines(head)
    }

    fn read(line: Line<'_>, way: usize, head: &ListHead) -> Option<Self::Entry> {
        let entry = SingleEntry::of_word(line.load(way / 2), (way % 2) as u32);
        (entry.code() != 0).then(|| (Single::of_entry(entry, line.number, head), entry.code()))
    }

    fn is_vacant(line: Line<'_>, way: usize) -> bool {
        SingleEntry::of_word(line.load(way / 2), (way % 2) as u32).code() == 0
    }

    fn holds(line: Line<'_>, way: usize, (single, _): Self::Entry, head: &ListHead) -> bool {
        let is_second = single.first_line(head) != line.number;
        SingleEntry::of_word(line.load(way / 2), (way % 2) as u32).is_of(single, is_second)
    }

    fn write(line: Line<'_>, way: usize, (single, code): Self::Entry, head: &ListHead) {
        let is_second = single.first_line(head) != line.number;
        let entry = single.entry(is_second, code);
        line.store(way / 2, entry.into_word(line.load(way / 2), (way % 2) as u32));
    }

    fn clear(line: Line<'_>, way: usize) {
        line.store(way / 2, SingleEntry::NONE.into_word(line.load(way / 2), (way % 2) as u32));
    }

    fn spill(line: Line<'_>) {
        line.store(0, SingleEntry::spilled(line.load(0)));
    }

    fn is_spilled(line: Line<'_>) -> bool {
        SingleEntry::is_spilled(line.load(0))
    }
}

/// Other entries of IPv4 from /25 on.
pub(super) enum V4 {}

impl Shape for V4 {
    type Entry = LongEntry;
    const REGION: Region = Region::LinesV4;
    const WAYS: usize = LIST_LINE_WORDS;

    fn lines(entry: LongEntry, head: &ListHead) -> [u32; 2] {
        head.long_lines(entry.address(), entry.length())
    }

    fn read(line: Line<'_>, way: usize, _: &ListHead) -> Option<LongEntry> {
        Some(LongEntry::from_word(line.load(way))).filter(|entry| entry.class() != 0)
    }

    fn is_vacant(line: Line<'_>, way: usize) -> bool {
        LongEntry::from_word(line.load(way)).class() == 0
    }

    fn holds(line: Line<'_>, way: usize, entry: LongEntry, _: &ListHead) -> bool {
        LongEntry::from_word(line.load(way)).class_of(entry.address(), entry.length()) != 0
    }

    fn write(line: Line<'_>, way: usize, entry: LongEntry, _: &ListHead) {
        let word = entry.word();
        line.store(way, if LongEntry::is_spilled(line.load(way)) { LongEntry::spilled(word) } else { word });
    }

    fn clear(line: Line<'_>, way: usize) {
        let empty = LongEntry::NONE.word();
        line.store(way, if LongEntry::is_spilled(line.load(way)) { LongEntry::spilled(empty) } else { empty });
    }

    fn spill(line: Line<'_>) {
        line.store(0, LongEntry::spilled(line.load(0)));
    }

    fn is_spilled(line: Line<'_>) -> bool {
        LongEntry::is_spilled(line.load(0))
    }
}

/// Prefixes of IPv6.
pub(super) enum V6 {}

impl Shape for V6 {
    type Entry = (Fingerprint, u32);
    const REGION: Region = Region::LinesV6;
    const WAYS: usize = FINGERPRINTS_PER_LINE;

    fn lines((fingerprint, _): Self::Entry, head: &ListHead) -> [u32; 2] {
        fingerprint.lines(head)
    }

    fn read(line: Line<'_>, way: usize, _: &ListHead) -> Option<Self::Entry> {
        let (word, value) = (line.load(2 * way), line.load(2 * way + 1));
        let fingerprint = Fingerprint::from_words(word, value);
        (word != 0).then_some((fingerprint, fingerprint.class_of(word, value)))
    }

    fn is_vacant(line: Line<'_>, way: usize) -> bool {
        line.load(2 * way) == 0
    }

    fn holds(line: Line<'_>, way: usize, (fingerprint, _): Self::Entry, _: &ListHead) -> bool {
        Fingerprint::from_words(line.load(2 * way), line.load(2 * way + 1)) == fingerprint
    }

    /// The value first: whoever finds the fingerprint finds its class.
    fn write(line: Line<'_>, way: usize, (fingerprint, class): Self::Entry, _: &ListHead) {
        let value = fingerprint.value(class);
        let is_spilled = Fingerprint::is_spilled(line.load(2 * way + 1));
        line.store(2 * way + 1, if is_spilled { Fingerprint::spilled(value) } else { value });
        line.store(2 * way, fingerprint.word());
    }

    fn clear(line: Line<'_>, way: usize) {
        line.store(2 * way, 0);
    }

    fn spill(line: Line<'_>) {
        line.store(1, Fingerprint::spilled(line.load(1)));
    }

    fn is_spilled(line: Line<'_>) -> bool {
        Fingerprint::is_spilled(line.load(1))
    }
}
