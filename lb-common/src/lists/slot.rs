//! What covers a /24, or a whole /20, of IPv4.

/// Words of `sieve`: a bit for each /22.
pub const LIST_SIEVE_WORDS: u32 = (1 << 22) / 64;

/// Words of `hints`, each of 32 /24s.
pub const LIST_HINT_WORDS: u32 = (1 << 24) / Hint::PER_WORD;

/// Words of `dir`: a slot for each /20, two to a word. 4 MiB, of which packets touch only what a bit leads them to.
pub const LIST_DIR_WORDS: u32 = (1 << 20) / 2;

/// Words of a block: a slot for each /24 of a /20.
pub const LIST_BLOCK_WORDS: u32 = 16 / 2;

/// What there is in a /24, so that a look-up reads only what leads somewhere: two bits, in the halves of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint(u64);

/// What covers a /24, or a /20, of which this is the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(u32);

/// Where a slot stands: in which word, and in which half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotPlace {
    /// The word.
    pub word: u32,
    /// 0: the lower half, 1: the upper half.
    pub half: u32,
}

impl Hint {
    /// /24s of a word.
    pub const PER_WORD: u32 = 32;
    /// /22s of a word.
    pub const SIEVED: u32 = Self::PER_WORD / 4;

    const SINGLE: u64 = 1;
    const SLOT: u64 = 1 << Self::PER_WORD;

    /// The word of 32 /24s, a bit each: whether there are entries for single addresses, and whether its slot says anything.
    pub const fn word(singles: u32, slots: u32) -> u64 {
        (slots as u64) << Self::PER_WORD | singles as u64
    }

    /// Of a word, a bit for each /22: whether there is anything in it.
    pub const fn sieved(word: u64) -> u64 {
        let (mut bits, mut slash22) = (0, 0);
        while slash22 < Self::SIEVED {
            let any = word >> (4 * slash22) & 0xf_0000_000f != 0;
            bits |= (any as u64) << slash22;
            slash22 += 1;
        }
        bits
    }

    /// The hint of a /24 in its word.
    #[inline(always)]
    pub const fn of_word(word: u64, slash24: u32) -> Self {
        Self(word >> (slash24 % Self::PER_WORD))
    }

    /// Whether there is nothing.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 & (Self::SINGLE | Self::SLOT) == 0
    }

    /// Whether there are entries for single addresses.
    #[inline(always)]
    pub const fn has_singles(self) -> bool {
        self.0 & Self::SINGLE != 0
    }

    /// Whether its slot says anything.
    #[inline(always)]
    pub const fn has_slot(self) -> bool {
        self.0 & Self::SLOT != 0
    }
}

impl Slot {
    const BLOCK: u32 = 1 << 31;
    const CLASS: u32 = (1 << 24) - 1;

    /// A slot that says where the block of a /20 is.
    pub const fn block(index: u32) -> Self {
        Self(Self::BLOCK | index)
    }

    /// A slot of what covers it; bit `n - 25` of `lengths` says that there are entries with a length of `n`.
    pub const fn new(class: u32, lengths: u32) -> Self {
        Self(lengths << 24 | class)
    }

    /// The block, if this is a /20 that has one.
    #[inline(always)]
    pub const fn as_block(self) -> Option<u32> {
        if self.0 & Self::BLOCK == 0 { None } else { Some(self.0 & !Self::BLOCK) }
    }

    /// The class of the prefixes up to /24 that cover it; 0 if there are none.
    #[inline(always)]
    pub const fn class(self) -> u32 {
        self.0 & Self::CLASS
    }

    /// Bit `n - 25` says whether there are entries with a length of `n`, from 25 to 31.
    #[inline(always)]
    pub const fn lengths(self) -> u32 {
        self.0 >> 24 & 0x7f
    }

    /// Whether there is nothing.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The slot at a place of its word.
    #[inline(always)]
    pub const fn of_word(word: u64, place: SlotPlace) -> Self {
        Self((word >> (32 * place.half)) as u32)
    }

    /// A word with this slot at a place of it.
    pub const fn into_word(self, word: u64, place: SlotPlace) -> u64 {
        let shift = 32 * place.half;
        word & !(0xffff_ffff << shift) | (self.0 as u64) << shift
    }
}

impl SlotPlace {
    /// The place of a /20's slot in `dir`.
    #[inline(always)]
    pub const fn in_dir(slash20: u32) -> Self {
        Self { word: slash20 >> 1, half: slash20 & 1 }
    }

    /// The place of a /24's slot in a block.
    #[inline(always)]
    pub const fn in_block(block: u32, slash24: u32) -> Self {
        Self { word: block.wrapping_mul(LIST_BLOCK_WORDS).wrapping_add(slash24 >> 1 & 7), half: slash24 & 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_tell_slots_and_single_addresses_apart() {
        let word = Hint::word(0b1001, 0b1010);
        let hint = |slash24| Hint::of_word(word, slash24);
        let told = |hint: Hint| (hint.has_singles(), hint.has_slot(), hint.is_empty());
        assert_eq!(told(hint(64)), (true, false, false));
        assert_eq!(told(hint(65)), (false, true, false));
        assert_eq!(told(hint(66)), (false, false, true));
        assert_eq!(told(hint(67)), (true, true, false));
        assert_eq!(told(Hint::of_word(Hint::word(0, 1 << 31), 31)), (false, true, false));
        assert_eq!(Hint::sieved(Hint::word(1 << 4, 1 << 31)), 0b1000_0010);
        assert_eq!(Hint::sieved(Hint::word(1 << 3, 1 << 8)), 0b101);
    }

    #[test]
    fn slots_stand_side_by_side() {
        let place = |slash24| SlotPlace::in_block(3, slash24);
        assert_eq!(
            (place(0xab_cde0), place(0xab_cdef).word, place(0xab_cdef).half),
            (SlotPlace { word: 24, half: 0 }, 31, 1)
        );
        let word = Slot::new(7, 0).into_word(u64::MAX, place(0));
        let word = Slot::new(0xff_ffff, 0x7f).into_word(word, place(1));
        assert_eq!(Slot::of_word(word, place(0)), Slot::new(7, 0));
        let other = Slot::of_word(word, place(1));
        assert_eq!((other.class(), other.lengths(), other.as_block()), (0xff_ffff, 0x7f, None));
        assert_eq!(Slot::block(9).as_block(), Some(9));
    }
}
