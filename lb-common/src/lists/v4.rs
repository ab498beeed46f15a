//! Entries of IPv4 longer than a /24, but for most of those of single addresses (see [`super::SingleEntry`]).

use super::{ListHead, head::two_lines};

/// Words of a line, which is one cache line: as many entries of IPv4.
pub const LIST_LINE_WORDS: usize = 8;

/// An entry, read and written whole: `{address: 32 bits, spilled, length: 3 bits, class: 24 bits}`; none if its class is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongEntry(u64);

impl LongEntry {
    /// No entry.
    pub const NONE: Self = Self(0);

    const CLASS: u64 = (1 << 24) - 1;
    const SPILLED: u64 = 1 << 31;
    const FIRST_LENGTH: u32 = 25;

    /// The entry of a prefix of 25 to 32 bits.
    pub const fn new(address: u32, length: u32, class: u32) -> Self {
        Self(Self::key(address, length) | class as u64)
    }

    /// The entry in a word of a line.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self(word & !Self::SPILLED)
    }

    /// The word.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The address.
    pub const fn address(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The length.
    pub const fn length(self) -> u32 {
        (self.0 >> 24) as u32 % 8 + Self::FIRST_LENGTH
    }

    /// The class; 0: there is no entry.
    #[inline(always)]
    pub const fn class(self) -> u32 {
        (self.0 & Self::CLASS) as u32
    }

    /// The class, if this is the entry of a prefix; else 0. Without a branch: nobody can foretell in which place of a line an
    /// entry stands, and a branch that is foretold wrong waits for the memory, and all that is behind it with it.
    #[inline(always)]
    pub const fn class_of(self, address: u32, length: u32) -> u32 {
        let difference = self.0 ^ Self::key(address, length);
        // All ones if only the class differs.
        let is_same = (difference >> 24).wrapping_sub(1) as i64 >> 63;
        (difference & is_same as u64) as u32
    }

    /// Whether the first word of a line says that entries which should be here stand in their other line.
    #[inline(always)]
    pub const fn is_spilled(word: u64) -> bool {
        word & Self::SPILLED != 0
    }

    /// The word, of a line that has been full.
    pub const fn spilled(word: u64) -> u64 {
        word | Self::SPILLED
    }

    #[inline(always)]
    const fn key(address: u32, length: u32) -> u64 {
        (address as u64) << 32 | (length.wrapping_sub(Self::FIRST_LENGTH) as u64 & 7) << 24
    }
}

impl ListHead {
    /// The lines where a prefix of 25 to 32 bits may stand.
    #[inline(always)]
    pub const fn long_lines(&self, address: u32, length: u32) -> [u32; 2] {
        let hash = (LongEntry::key(address, length) ^ self.key_v4[0]).wrapping_mul(self.key_v4[1]);
        let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        two_lines(hash ^ hash >> 32, self.lines_v4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_address_and_length() {
        let entry = LongEntry::new(0x0a01_0203, 32, 0xff_ffff);
        assert_eq!((entry.address(), entry.length(), entry.class()), (0x0a01_0203, 32, 0xff_ffff));
        assert_eq!((entry.class_of(0x0a01_0203, 32), entry.class_of(0x0a01_0203, 31)), (0xff_ffff, 0));
        assert_eq!(entry.class_of(0x0a01_0202, 32), 0);
        assert_eq!(LongEntry::NONE.class_of(0, 25), 0);
        let spilled = LongEntry::spilled(entry.word());
        assert!(LongEntry::is_spilled(spilled) && !LongEntry::is_spilled(entry.word()));
        assert_eq!(LongEntry::from_word(spilled), entry);
    }

    /// Neighbours are the worst natural input: each line must get its share.
    #[test]
    fn neighbours_fill_the_lines_evenly() {
        let head = ListHead::new([3, 4], 1, 1000, 1, 6);
        let mut counts = [0u32; 1000];
        for address in 0..1_000_000 {
            for line in head.long_lines(0x0a00_0000 + address, 32) {
                counts[line as usize] += 1;
            }
        }
        assert!(counts.iter().all(|&n| (1700..2300).contains(&n)), "{:?}", counts.iter().minmax());
    }

    trait MinMax {
        fn minmax(self) -> (u32, u32);
    }

    impl<'a, I: Iterator<Item = &'a u32> + Clone> MinMax for I {
        fn minmax(self) -> (u32, u32) {
            (self.clone().copied().min().unwrap_or(0), self.copied().max().unwrap_or(0))
        }
    }
}
