//! What covers a /24, or a whole /20, of IPv4.

use super::ListClass;

/// Words of `dir`: a slot for each /20, two to a word. 4 MiB, of which packets touch only what a bit leads them to.
pub const LIST_DIR_WORDS: u32 = (1 << 20) / 2;

/// Words of a block: a slot for each /24 of a /20.
pub const LIST_BLOCK_WORDS: u32 = Slot::PER_BLOCK / 2;

/// What covers a /24, or a /20, of which this is the slot: `{lengths: 7 bits, class: 24 bits}`.
///
/// The slot of a /20 whose /24s differ says where their block is. If all that they differ by is one prefix, as where few are
/// listed, it needs none: `{1, log2 of its /24s: 2 bits, its first /24: 4 bits, its code: 12 bits, the others' code}`.
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
    /// /24s of a /20.
    pub const PER_BLOCK: u32 = 16;

    const BLOCK: u32 = 1 << 31;
    const ONE: u32 = 1 << 30;
    const SIZE_SHIFT: u32 = 28;
    const FIRST_SHIFT: u32 = 24;
    const CLASS: u32 = (1 << 24) - 1;

    /// A slot that says where the block of a /20 is.
    pub const fn block(index: u32) -> Self {
        Self(Self::BLOCK | index)
    }

    /// A slot of what covers it; bit `n - 25` of `lengths` says that there are entries with a length of `n`.
    pub const fn new(class: u32, lengths: u32) -> Self {
        Self(lengths << 24 | class)
    }

    /// The slot of a /20 whose /24s have these, unless it takes a block.
    pub fn of_slash20(slots: &[Self; Self::PER_BLOCK as usize]) -> Option<Self> {
        let [first, .., last] = *slots;
        let lengths = slots.iter().fold(0, |lengths, slot| lengths | slot.lengths());
        match lengths {
            0 if slots.iter().all(|slot| *slot == first) => Some(first),
            0 => Self::one(slots, first).or_else(|| Self::one(slots, last)),
            _ => None,
        }
    }

    /// The slot of a /20 with one prefix among `others`.
    fn one(slots: &[Self; Self::PER_BLOCK as usize], others: Self) -> Option<Self> {
        let first = slots.iter().position(|slot| *slot != others)?;
        let size = slots[first..].iter().take_while(|slot| **slot == slots[first]).count();
        let [code, around] = [slots[first], others].map(|slot| ListClass::code(slot.class()));
        let has_codes = code != ListClass::NO_CODE && around != ListClass::NO_CODE;
        let is_prefix = size.is_power_of_two() && first.is_multiple_of(size);
        let is_one = slots[first + size..].iter().all(|slot| *slot == others);
        let place = size.ilog2() << Self::SIZE_SHIFT | (first as u32) << Self::FIRST_SHIFT;
        (has_codes && is_prefix && is_one).then_some(Self(Self::ONE | place | code << ListClass::CODE_BITS | around))
    }

    /// The slot of a /24, by that of its /20, which has no block.
    #[inline(always)]
    pub const fn at(self, slash24: u32) -> Self {
        if self.0 & Self::ONE == 0 {
            return self;
        }
        let distance = (slash24 ^ self.0 >> Self::FIRST_SHIFT) & (Self::PER_BLOCK - 1);
        let is_inside = distance >> (self.0 >> Self::SIZE_SHIFT & 3) == 0;
        let codes = if is_inside { self.0 >> ListClass::CODE_BITS } else { self.0 };
        Self(ListClass::of_code(codes & ListClass::NO_CODE))
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

    /// Every prefix of a /20, whatever is around it.
    #[test]
    fn one_prefix_of_a_slash20_takes_no_block() {
        let slot = |code| Slot::new(ListClass::of_code(code), 0);
        for (length, around, inside) in
            [(20, 0, 5), (21, 0, 4094), (21, 4094, 0), (22, 3, 9), (23, 9, 3), (24, 0, 1), (24, 7, 0)]
        {
            let size = 1 << (24 - length);
            for first in (0..16).step_by(size) {
                let mut slots = [slot(around); 16];
                slots[first..first + size].fill(slot(inside));
                let all = Slot::of_slash20(&slots).unwrap();
                assert_eq!(all.as_block(), None);
                for (number, expected) in (0xab_cde0..).zip(slots) {
                    assert_eq!(all.at(number), expected, "/{length} {first} {number:x}");
                }
            }
        }
    }

    #[test]
    fn what_a_slot_cannot_say_takes_a_block() {
        let with = |changes: &[(usize, Slot)]| {
            let mut slots = [Slot::new(0, 0); 16];
            changes.iter().for_each(|&(number, slot)| slots[number] = slot);
            Slot::of_slash20(&slots)
        };
        let slot = Slot::new(ListClass::of_code(5), 0);
        assert!(with(&[(3, slot)]).is_some());
        // Two prefixes, of which one could be taken for the other's size.
        assert_eq!(with(&[(3, slot), (4, slot)]), None);
        assert_eq!(with(&[(0, slot), (15, slot)]), None);
        assert_eq!(with(&[(4, slot), (5, slot), (6, slot)]), None);
        assert_eq!(with(&[(3, slot), (9, Slot::new(ListClass::of_code(6), 0))]), None);
        // A length, and a class without a code.
        assert_eq!(with(&[(3, Slot::new(0, 1))]), None);
        assert_eq!(with(&[(3, Slot::new(7, 0))]), None);
    }
}
