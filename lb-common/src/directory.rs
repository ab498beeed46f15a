//! The directory of sessions: where the session of a client's flow is, by the flow's hash.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{DIRECTORY_SETS, SessionId};

/// Entries of a set of the directory.
pub const DIRECTORY_WAYS: u32 = 8;

/// An element of the `directory` array: eight entries, one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct DirectorySet(pub [u64; DIRECTORY_WAYS as usize]);

/// The place of an entry in the directory: the set's number, and the way in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryPlace(u32);

impl DirectoryPlace {
    /// How many bits a place has.
    pub const BITS: u32 = DIRECTORY_SETS.ilog2() + DIRECTORY_WAYS.ilog2();

    /// The place with a number.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[inline(always)]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// A way of the set that a flow with this hash belongs to.
    #[inline(always)]
    pub const fn of(hash: u64, way: u32) -> Self {
        Self((hash as u32 & (DIRECTORY_SETS - 1)) * DIRECTORY_WAYS + (way & (DIRECTORY_WAYS - 1)))
    }

    /// The number of the set.
    #[inline(always)]
    pub const fn set(self) -> u32 {
        self.0 / DIRECTORY_WAYS
    }

    /// The way in the set.
    #[inline(always)]
    pub const fn way(self) -> u32 {
        self.0 % DIRECTORY_WAYS
    }
}

/// An entry of the directory: `{fingerprint: 45 bits, session: 19 bits}`, read and written whole.
///
/// The fingerprint is the top of the flow's hash; the set's number is the bottom. No session has the number 0, because
/// port 0 is given to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryEntry(u64);

one_word!(DirectoryEntry, u64);

impl DirectoryEntry {
    /// No entry.
    pub const EMPTY: Self = Self(0);

    /// The entry of a flow.
    #[inline(always)]
    pub const fn new(hash: u64, id: SessionId) -> Self {
        Self(hash >> SessionId::BITS << SessionId::BITS | id.number() as u64)
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is probably the entry of a flow with this hash, given that it is in that flow's set.
    #[inline(always)]
    pub const fn is_of(self, hash: u64) -> bool {
        self.0 >> SessionId::BITS == hash >> SessionId::BITS && self.0 != 0
    }

    /// The session.
    #[inline(always)]
    pub const fn session(self) -> SessionId {
        SessionId::from_number(self.0 as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 0xfedc_ba98_7654_3210;

    #[test]
    fn an_entry_keeps_its_parts() {
        for number in [1, crate::MAX_SESSIONS - 1] {
            let entry = DirectoryEntry::from_word(DirectoryEntry::new(HASH, SessionId::from_number(number)).word());
            assert_eq!(entry.session().number(), number);
            assert!(entry.is_of(HASH) && !entry.is_of(HASH ^ 1 << SessionId::BITS) && !entry.is_empty());
        }
    }

    #[test]
    fn a_place_is_a_way_of_the_hashs_set() {
        let place = DirectoryPlace::from_number(DirectoryPlace::of(HASH, 5).number());
        assert_eq!((place.set(), place.way()), (HASH as u32 & (DIRECTORY_SETS - 1), 5));
    }
}
