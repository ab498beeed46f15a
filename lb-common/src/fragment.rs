//! The table of fragmented packets: where the first fragment of each has gone.

use crate::{Row, SessionId, Tick};

/// How long the first fragment of a packet is remembered, in seconds. Hosts give up reassembly sooner or after as long: after 15
/// (RFC 791, section 3.2) to 60 seconds (RFC 8200, section 4.5); Linux takes 30.
pub const FRAGMENT_SECONDS: u16 = 30;

/// What a first fragment leaves for the others to follow: the slot of a backend, or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trail(u32);

impl Trail {
    /// Nothing that is known of.
    pub const NONE: Self = Self(Row::NOBODY as u32);

    const SESSION: u32 = 1 << SessionId::BITS;
    const BITS: u32 = SessionId::BITS + 1;

    /// To the backend in a slot.
    #[inline(always)]
    pub const fn to_backend(slot: u16) -> Self {
        Self(slot as u32)
    }

    /// To where a session leads.
    #[inline(always)]
    pub const fn to_session(id: SessionId) -> Self {
        Self(Self::SESSION | id.number())
    }

    /// The trail in a word that [`Self::word`] returned.
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Self(word & ((1 << Self::BITS) - 1))
    }

    /// The word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The slot of the backend.
    #[inline(always)]
    pub const fn backend(self) -> Option<u16> {
        if self.0 == Self::NONE.0 || self.0 & Self::SESSION != 0 { None } else { Some(self.0 as u16) }
    }

    /// The session.
    #[inline(always)]
    pub const fn session(self) -> Option<SessionId> {
        if self.0 & Self::SESSION == 0 { None } else { Some(SessionId::from_number(self.0)) }
    }
}

/// An entry of the table: `{fingerprint: 28 bits, trail: 20 bits, tick: 16 bits}`, read and written whole. It stands in a set
/// like those of the flow table; the fingerprint is the top of the packet's hash, the set's number is the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentEntry(u64);

one_word!(FragmentEntry, u64);

impl FragmentEntry {
    const TICK_BITS: u32 = u16::BITS;
    const FINGERPRINT: u32 = Self::TICK_BITS + Trail::BITS;

    /// The entry of a packet.
    #[inline(always)]
    pub const fn new(hash: u64, trail: Trail, now: Tick) -> Self {
        Self(
            hash >> Self::FINGERPRINT << Self::FINGERPRINT
                | (trail.word() as u64) << Self::TICK_BITS
                | now.word() as u64,
        )
    }

    /// Whether it is the entry of the packet with this hash, given that it is in that packet's set.
    #[inline(always)]
    pub const fn is_of(self, hash: u64) -> bool {
        self.0 >> Self::FINGERPRINT == hash >> Self::FINGERPRINT && self.0 != 0
    }

    /// Where the packet's other fragments go.
    #[inline(always)]
    pub const fn trail(self) -> Trail {
        Trail::from_word((self.0 >> Self::TICK_BITS) as u32)
    }

    /// When it was made.
    #[inline(always)]
    pub const fn tick(self) -> Tick {
        Tick::from_word(self.0 as u16)
    }

    /// Whether there is none, or one that nobody needs any more.
    #[inline(always)]
    pub const fn is_free(self, now: Tick) -> bool {
        self.0 == 0 || now.since(self.tick()) > FRAGMENT_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 0xfedc_ba98_7654_3210;

    #[test]
    fn an_entry_keeps_its_parts() {
        let now = Tick::from_seconds(1_000_000);
        let last = SessionId::from_number(u32::MAX);
        for trail in [Trail::to_backend(0), Trail::to_backend(0x7ffe), Trail::to_session(last), Trail::NONE] {
            let entry = FragmentEntry::from_word(FragmentEntry::new(HASH, trail, now).word());
            assert_eq!((entry.trail(), entry.tick()), (trail, now));
            assert!(entry.is_of(HASH) && entry.is_of(HASH ^ 1) && !entry.is_of(HASH ^ 1 << FragmentEntry::FINGERPRINT));
        }
    }

    #[test]
    fn a_trail_leads_to_one_of_the_two_or_nowhere() {
        let id = SessionId::new(3, false, 65535);
        let both = |trail: Trail| (trail.backend(), trail.session());
        assert_eq!(both(Trail::to_backend(0x7ffe)), (Some(0x7ffe), None));
        assert_eq!(both(Trail::to_session(id)), (None, Some(id)));
        assert_eq!(both(Trail::NONE), (None, None));
    }

    #[test]
    fn an_entry_is_kept_for_half_a_minute() {
        let at = Tick::from_seconds;
        let entry = FragmentEntry::new(0, Trail::to_backend(0), at(65_530));
        assert!(!entry.is_free(at(65_560)) && entry.is_free(at(65_561)));
        assert!(FragmentEntry::from_word(0).is_free(at(0)) && !FragmentEntry::from_word(0).is_of(0));
    }
}
