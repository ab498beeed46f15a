//! What entries mean, and what a look-up found.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{COUNTED_ENTRIES, MAX_LISTS};

/// Classes there can be; class 0 means nothing.
pub const MAX_CLASSES: u32 = 1 << 24;

/// Classes that a look-up follows from one to the next. No entry has more: the configuration refuses so many entries of
/// their own lifetimes around one address.
pub const MAX_CHAIN: u32 = 16;

/// What an entry means: the lists that it is on, until when, and what else covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListClass {
    /// The lists, a bit each.
    pub lists: u64,
    /// `next << 32 | expiry`: one word, so that both change at once.
    pub life: u64,
}

impl ListClass {
    /// A class; `expires_s` is in seconds since the machine started, 0 is never. `next` is the class of what else covers
    /// the addresses, longest prefix first; 0 is nothing.
    pub const fn new(lists: u64, expires_s: u32, next: u32) -> Self {
        Self { lists, life: (next as u64) << 32 | expires_s as u64 }
    }

    /// Bits of a code.
    pub const CODE_BITS: u32 = 12;
    /// The code of every class that has no other.
    pub const NO_CODE: u32 = (1 << Self::CODE_BITS) - 1;

    /// A class in few bits: 0 for none, a number for each of the first that entries share, which large lists have.
    pub const fn code(class: u32) -> u32 {
        match class.checked_sub(COUNTED_ENTRIES) {
            Some(number) if number + 1 < Self::NO_CODE => number + 1,
            None if class == 0 => 0,
            _ => Self::NO_CODE,
        }
    }

    /// The class that a code stands for, but for [`ListClass::NO_CODE`].
    #[inline(always)]
    pub const fn of_code(code: u32) -> u32 {
        if code == 0 { 0 } else { COUNTED_ENTRIES - 1 + code }
    }

    /// When it expires, in seconds since the machine started; 0 is never.
    #[inline(always)]
    pub const fn expires_s(&self) -> u32 {
        self.life as u32
    }

    /// The class of what else covers the addresses.
    #[inline(always)]
    pub const fn next(&self) -> u32 {
        (self.life >> 32) as u32
    }
}

/// What a look-up found, in one word: the list that decides, and the class that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListMatch(u64);

one_word!(ListMatch, u64);

impl ListMatch {
    /// No list.
    pub const NONE: Self = Self(u64::MAX);

    /// The lowest of some lists, of which there is one; found in a class, by a prefix of `bits` of 128.
    #[inline(always)]
    pub const fn new(lists: u64, class: u32, bits: u32) -> Self {
        let rank = (lists.trailing_zeros() as u64) << 8 | (128 - bits as u64) & 0xff;
        Self(rank << 32 | class as u64)
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == u64::MAX
    }

    /// The list's number.
    #[inline(always)]
    pub const fn list(self) -> u32 {
        (self.0 >> 40) as u32 & (MAX_LISTS - 1)
    }

    /// The class that named it.
    #[inline(always)]
    pub const fn class(self) -> u32 {
        self.0 as u32
    }

    /// The one that decides: of the lower list, then of the longer prefix, then this one.
    #[inline(always)]
    pub const fn or(self, other: Self) -> Self {
        if other.0 >> 32 < self.0 >> 32 { other } else { self }
    }

    /// The same match, by a prefix of so many bits of 128.
    #[inline(always)]
    pub const fn by(self, bits: u32) -> Self {
        if self.is_none() {
            return self;
        }
        Self(self.0 & !(0xff << 32) | ((128 - bits as u64) & 0xff) << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_for_the_first_shared_classes() {
        assert_eq!([ListClass::code(0), ListClass::of_code(0)], [0, 0]);
        assert!((1..ListClass::NO_CODE).all(|code| ListClass::code(ListClass::of_code(code)) == code));
        for class in [1, COUNTED_ENTRIES - 1, ListClass::of_code(ListClass::NO_CODE), MAX_CLASSES - 1] {
            assert_eq!(ListClass::code(class), ListClass::NO_CODE);
        }
    }

    #[test]
    fn the_lower_list_decides_then_the_longer_prefix_then_the_first() {
        let found = |list: u32, class, bits| ListMatch::new(1 << list | 1 << 63, class, bits);
        assert_eq!(found(40, 7, 128).list(), 40);
        assert_eq!(found(40, 7, 128).or(found(3, 9, 8)), found(3, 9, 8));
        assert_eq!(found(40, 7, 64).or(found(40, 9, 65)), found(40, 9, 65));
        assert_eq!(found(40, 9, 64).or(found(40, 7, 64)), found(40, 9, 64));
        assert_eq!(ListMatch::NONE.or(found(63, 1, 0)), found(63, 1, 0));
        assert_eq!(found(63, 1, 0).or(ListMatch::NONE), found(63, 1, 0));
        assert!(ListMatch::NONE.by(64).is_none());
        assert_eq!((found(5, 77, 128).by(64), found(5, 77, 64).class()), (found(5, 77, 64), 77));
    }
}
