//! What covers a /24, or a whole /20, of IPv4.

/// Words of `dir`: a slot for each /20, two to a word. 4 MiB, of which packets touch only what a bit leads them to.
pub const LIST_DIR_WORDS: u32 = (1 << 20) / 2;

/// Words of a block: a slot for each /24 of a /20.
pub const LIST_BLOCK_WORDS: u32 = 16 / 2;

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
