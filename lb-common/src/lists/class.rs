//! What entries mean, and what a look-up found.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::MAX_LISTS;

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
