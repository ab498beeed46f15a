//! Entries of single addresses of IPv4, of which large lists mostly consist.
//!
//! Problem: a look-up waits for one read of a table, the longer the larger the table is. Mechanism: half a word for an entry. An
//! address is replaced by its image under a keyed bijection, of which the line's number is one part; the entry keeps
//! the other (quotienting, as in Knuth, The Art of Computer Programming, volume 3, 6.4, exercise 13, and cuckoo hashing with
//! two lines as in [`super::LongEntry`]). What is left of the half has room for the code of a class ([`ListClass::code`]); an entry
//! whose class has none says that it is found among the longer ones.

use super::{LIST_LINE_WORDS, ListClass, ListHead};

/// Lines there are at least: with fewer, a tag would not tell all addresses of a line apart.
pub const LEAST_SINGLE_LINES: u32 = 1 << (32 - TAG_BITS);

const TAG_BITS: u32 = 18;
const TAG: u32 = (1 << TAG_BITS) - 1;

/// An entry, half a word: `{code: 12 bits, spilled, in its second line, tag: 18 bits}`; none if its code is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleEntry(u32);

impl SingleEntry {
    /// No entry.
    pub const NONE: Self = Self(0);
    /// Entries of a line.
    pub const PER_LINE: usize = 2 * LIST_LINE_WORDS;
    /// The code of an entry whose class is found among the longer entries.
    pub const ELSEWHERE: u32 = ListClass::NO_CODE;

    const SECOND: u32 = 1 << TAG_BITS;
    const SPILLED: u32 = Self::SECOND << 1;
    const CODE_SHIFT: u32 = 32 - ListClass::CODE_BITS;

    /// The entry in a half of a word.
    pub const fn of_word(word: u64, half: u32) -> Self {
        Self((word >> (32 * half)) as u32)
    }

    /// A word with this entry in a half of it, where the mark of a spilled line stays.
    pub const fn into_word(self, word: u64, half: u32) -> u64 {
        let (shift, kept) = (32 * half, Self::of_word(word, half).0 & Self::SPILLED);
        word & !(0xffff_ffff << shift) | ((self.0 & !Self::SPILLED | kept) as u64) << shift
    }

    /// The code; 0: there is no entry.
    pub const fn code(self) -> u32 {
        self.0 >> Self::CODE_SHIFT
    }

    /// Whether it is an address's, in its first line or in its second.
    pub const fn is_of(self, single: Single, is_second: bool) -> bool {
        self.code() != 0 && (self.0 ^ single.key(is_second)) & (Self::SPILLED - 1) == 0
    }

    /// Whether the first word of a line says that entries which should be here stand in their other line.
    #[inline(always)]
    pub const fn is_spilled(word: u64) -> bool {
        word & Self::SPILLED as u64 != 0
    }

    /// The word, of a line that has been full.
    pub const fn spilled(word: u64) -> u64 {
        word | Self::SPILLED as u64
    }
}

/// An address, by its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Single(u32);

impl Single {
    /// Its entry in its first line, or in its second.
    pub const fn entry(self, is_second: bool, code: u32) -> SingleEntry {
        SingleEntry(code << SingleEntry::CODE_SHIFT | self.key(is_second))
    }

    #[inline(always)]
    const fn key(self, is_second: bool) -> u32 {
        self.0 & TAG | if is_second { SingleEntry::SECOND } else { 0 }
    }

    /// The code that one of a word's entries has, if it is this address's in its first line, or in its second; else 0.
    ///
    /// Without a branch, like [`super::LongEntry::class_of`], and for both halves at once: from a bit in front of the key the
    /// difference is subtracted, which leaves the bit only if there is none.
    #[inline(always)]
    pub const fn code_in(self, word: u64, is_second: bool) -> u32 {
        const BOTH: u64 = 1 << 32 | 1;
        const FRONT: u64 = SingleEntry::SPILLED as u64 * BOTH;
        let difference = (word ^ (self.key(is_second) as u64 * BOTH)) & (FRONT - BOTH);
        let same = (FRONT - difference) & FRONT;
        // The bits of the codes are those in front of this one.
        let codes = word & (same * ((ListClass::NO_CODE as u64) << 1));
        (codes >> 32 | codes) as u32 >> SingleEntry::CODE_SHIFT
    }

    /// The line in which its entry stands, unless it is in the other.
    #[inline(always)]
    pub const fn first_line(self, head: &ListHead) -> u32 {
        scaled(self.0, head.singles)
    }

    /// The other line.
    #[inline(always)]
    pub const fn second_line(self, head: &ListHead) -> u32 {
        other(self.first_line(head), self.0, head)
    }

    /// Both lines.
    pub const fn lines(self, head: &ListHead) -> [u32; 2] {
        [self.first_line(head), self.second_line(head)]
    }

    /// The address whose entry this is, in a line with a number.
    pub const fn of_entry(entry: SingleEntry, line: u32, head: &ListHead) -> Self {
        let tag = entry.0 & TAG;
        let first = if entry.0 & SingleEntry::SECOND == 0 { line } else { other(line, tag, head) };
        // The images of a line are neighbours, and no more than there are tags.
        let least = (((first as u64) << 32).div_ceil(head.singles)) as u32;
        Self(least.wrapping_add(tag.wrapping_sub(least) & TAG))
    }
}

impl ListHead {
    /// An address by its image: two rounds of a keyed multiplication and a shift, each of which can be undone.
    #[inline(always)]
    pub const fn single(&self, address: u32) -> Single {
        let [a, b] = self.key_singles;
        let image = (address ^ a as u32).wrapping_mul((a >> 32) as u32 | 1);
        let image = (image ^ image >> 16 ^ b as u32).wrapping_mul((b >> 32) as u32 | 1);
        Single(image ^ image >> 15)
    }
}

/// The other one of an image's two lines: they add up to a number that follows from its tag.
#[inline(always)]
const fn other(line: u32, image: u32, head: &ListHead) -> u32 {
    let sum = scaled((image & TAG).wrapping_mul(0x9e37_79b1), head.singles);
    if sum < line { sum.wrapping_sub(line).wrapping_add(head.singles as u32) } else { sum - line }
}

#[inline(always)]
const fn scaled(number: u32, lines: u64) -> u32 {
    ((number as u64 * lines) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: u32) -> ListHead {
        ListHead::new([3, 4], lines, 1, 1, 6)
    }

    /// Addresses that are neighbours, and others.
    fn addresses() -> impl Iterator<Item = u32> {
        (0..3000)
            .map(|number| 0x0a00_0000 + number)
            .chain((0..3000).map(|number: u32| number.wrapping_mul(0x9e37_79b1)))
    }

    #[test]
    fn an_entry_and_its_line_are_one_address() {
        for head in [LEAST_SINGLE_LINES, LEAST_SINGLE_LINES + 1, 50_000, 727_273, 1 << 24].map(head) {
            for single in addresses().map(|address| head.single(address)) {
                let lines = single.lines(&head);
                assert!(lines.iter().all(|line| u64::from(*line) < head.singles));
                for (line, is_second) in lines.into_iter().zip([false, true]) {
                    let entry = single.entry(is_second, 77);
                    assert_eq!(Single::of_entry(entry, line, &head), single);
                    let words = [0, 1].map(|half| entry.into_word(SingleEntry::spilled(0), half));
                    assert_eq!(words.map(|word| single.code_in(word, is_second)), [77, 77]);
                    assert_eq!(words.map(|word| single.code_in(word, !is_second)), [0, 0]);
                    assert_eq!(
                        [SingleEntry::of_word(words[0], 1), SingleEntry::of_word(words[1], 1)].map(SingleEntry::code),
                        [0, 77]
                    );
                }
            }
        }
    }

    /// Whoever is in a line is taken for nobody else of it: all images of one line, and of its neighbours' ends.
    #[test]
    fn the_addresses_of_a_line_differ() {
        let head = head(LEAST_SINGLE_LINES);
        let first = 5 << TAG_BITS;
        assert!((first..first + (1 << TAG_BITS)).all(|image| Single(image).lines(&head)[0] == 5));
        let entry = Single(first + 9).entry(false, 1).into_word(0, 1);
        let found = (first..first + (1 << TAG_BITS)).filter(|&image| Single(image).code_in(entry, false) != 0);
        assert_eq!(found.sum::<u32>(), first + 9);
    }

    #[test]
    fn a_word_keeps_its_other_half_and_its_mark() {
        let head = head(LEAST_SINGLE_LINES);
        let [one, two] = [1, 2].map(|address| head.single(address));
        let word = SingleEntry::spilled(one.entry(false, 5).into_word(0, 0));
        let word = two.entry(true, SingleEntry::ELSEWHERE).into_word(word, 1);
        assert!(SingleEntry::is_spilled(word));
        assert_eq!((one.code_in(word, false), two.code_in(word, true)), (5, SingleEntry::ELSEWHERE));
        let word = SingleEntry::NONE.into_word(word, 0);
        assert!(SingleEntry::is_spilled(word));
        assert_eq!((one.code_in(word, false), two.code_in(word, true)), (0, SingleEntry::ELSEWHERE));
    }

    /// Neighbours are the worst natural input: each line must get its share.
    #[test]
    fn neighbours_fill_the_lines_evenly() {
        let head = head(LEAST_SINGLE_LINES);
        let mut counts = [[0u32; 2]; LEAST_SINGLE_LINES as usize];
        for address in 0x0a00_0000..0x0a00_0000 + 64 * LEAST_SINGLE_LINES {
            for (which, line) in head.single(address).lines(&head).into_iter().enumerate() {
                counts[line as usize][which] += 1;
            }
        }
        // By chance 64 on average, and eight more or less.
        assert!(counts.iter().flatten().all(|&count| (20..120).contains(&count)));
    }
}
