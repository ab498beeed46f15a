//! Firewall lists: what they mean, and how many there can be.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// What a match in a list means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// The packet skips the rest of the firewall.
    Allow,
    /// The packet is dropped.
    Deny,
}

/// Lists of one kind: a list is a bit of a 64-bit word, the allow lists' in front, so that the lowest bit decides.
pub const LISTS_OF_A_KIND: u32 = 32;

/// Numbers of lists.
pub const MAX_LISTS: u32 = 2 * LISTS_OF_A_KIND;

/// The longest name of a list, in bytes.
pub const LIST_NAME_BYTES: usize = 64;

/// How many entries count for themselves what they match, over all lists.
pub const COUNTED_ENTRIES: u32 = 1 << 14;

impl ListKind {
    /// Both kinds, in the order in which they are asked.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    /// The word for it in commands and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// The numbers of its lists. The first is that of the list which is called like the kind.
    pub const fn numbers(self) -> core::ops::Range<u32> {
        match self {
            Self::Allow => 0..LISTS_OF_A_KIND,
            Self::Deny => LISTS_OF_A_KIND..MAX_LISTS,
        }
    }

    /// The kind of the list with a number.
    #[inline(always)]
    pub const fn of(number: u32) -> Self {
        if number < LISTS_OF_A_KIND { Self::Allow } else { Self::Deny }
    }
}

/// Whose counter a slot of `list_entry_hits` is, for the daemon's successor: all zeros if nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListLabel {
    /// The prefix's address, in halves: upper, lower.
    pub address: [u64; 2],
    /// `1 << 63 | list << 8 | bits of 128`; 0 if the slot is free.
    pub list_and_bits: u64,
    /// Always 0.
    pub zero: u64,
}

impl ListLabel {
    const USED: u64 = 1 << 63;

    /// The label of a list's prefix; `bits` of 128.
    pub const fn new(list: u32, address: &Address, bits: u32) -> Self {
        Self { address: address.halves(), list_and_bits: Self::USED | (list as u64) << 8 | bits as u64, zero: 0 }
    }

    /// The list, the address and the bits of 128, unless the slot is free.
    pub const fn parts(&self) -> Option<(u32, Address, u32)> {
        if self.list_and_bits & Self::USED == 0 {
            return None;
        }
        let (list, bits) = ((self.list_and_bits >> 8) as u8, self.list_and_bits as u8);
        Some((list as u32, Address::from_halves(self.address), bits as u32))
    }
}
