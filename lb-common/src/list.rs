//! Firewall lists.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a match in a list means. The value is the index of the list's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum ListKind {
    /// The packet skips the rest of the firewall.
    Allow = 0,
    /// The packet is dropped.
    Deny = 1,
}

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
}

/// The value of a prefix in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListValue {
    /// Reserved for the list's number; 0.
    pub list: u64,
}
