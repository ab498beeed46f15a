//! The flow table: which backend a flow of an unsettled row is on.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Entries of a set: a set is one cache line, and a look-up reads one set.
pub const FLOW_WAYS: usize = 8;

/// An unconfirmed entry older than this may be taken by another flow. It is not removed then: a flow that seldom speaks
/// is confirmed by its second packet, and must still be known for that.
pub const UNCONFIRMED_SECONDS: u16 = 3;

/// A closing entry is removed after this time.
pub const CLOSING_SECONDS: u16 = 30;

/// An entry whose flow has been idle for this long is removed, or taken by another flow.
pub const KEEP_SECONDS: u16 = 2 * 3600;

/// A set of the flow table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct FlowSet(pub [u64; FLOW_WAYS]);

/// A coarse time: seconds modulo 65,535, plus one, so that no entry is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick(u16);

/// How many ticks there are before they repeat.
const TICKS: u64 = 65_535;

one_word!(Tick, u16);

impl Tick {
    /// The tick of a time in seconds.
    #[inline(always)]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self((seconds % TICKS) as u16 + 1)
    }

    /// Seconds from an earlier tick to this one, if it is less than 9 hours ago; 0 if it is more, or later.
    ///
    /// A later tick is no error: whoever reads the clock and then an entry may find that another CPU has been there
    /// since, a second later.
    #[inline(always)]
    pub const fn since(self, earlier: Self) -> u16 {
        let age = if self.0 >= earlier.0 { self.0 - earlier.0 } else { self.0 + (TICKS as u16 - earlier.0) };
        if age as u64 > TICKS / 2 { 0 } else { age }
    }
}

/// An entry: `{fingerprint: 31 bits, backend: 15 bits, tick: 16 bits, confirmed, closing}`, read and written whole.
///
/// The fingerprint is the top of the flow's hash, so it tells the row; the set's number is the bottom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry(u64);

one_word!(Entry, u64);

impl Entry {
    /// No entry.
    pub const EMPTY: Self = Self(0);

    const CLOSING: u64 = 1;
    const CONFIRMED: u64 = 2;

    /// The unconfirmed entry of a flow.
    #[inline(always)]
    pub const fn new(hash: u64, backend: u16, now: Tick) -> Self {
        Self((hash >> 33) << 33 | (backend as u64 & 0x7fff) << 18 | (now.0 as u64) << 2)
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is the entry of the flow with this hash, given that it is in that flow's set.
    #[inline(always)]
    pub const fn is_of(self, hash: u64) -> bool {
        self.0 >> 33 == hash >> 33 && self.0 != 0
    }

    /// The slot of the flow's backend.
    #[inline(always)]
    pub const fn backend(self) -> u16 {
        (self.0 >> 18) as u16 & 0x7fff
    }

    /// The flow's row in a ring of `1 << bits` rows.
    #[inline(always)]
    pub const fn row(self, bits: u32) -> u32 {
        (self.0 >> (64 - bits)) as u32
    }

    /// When it was made or last refreshed.
    #[inline(always)]
    pub const fn tick(self) -> Tick {
        Tick::from_word((self.0 >> 2) as u16)
    }

    /// Whether a second packet has shown that the flow is real.
    #[inline(always)]
    pub const fn is_confirmed(self) -> bool {
        self.0 & Self::CONFIRMED != 0
    }

    /// Whether a FIN or RST has been seen.
    #[inline(always)]
    pub const fn is_closing(self) -> bool {
        self.0 & Self::CLOSING != 0
    }

    /// The entry after one more packet of its flow.
    #[inline(always)]
    #[must_use]
    pub const fn refreshed(self, now: Tick, closes: bool) -> Self {
        let kept = self.0 & !(0xffff << 2);
        Self(kept | (now.0 as u64) << 2 | Self::CONFIRMED | if closes { Self::CLOSING } else { 0 })
    }

    /// Whether another flow may take its place. A live confirmed entry is never given away.
    #[inline(always)]
    pub const fn is_free(self, now: Tick) -> bool {
        if self.is_empty() || self.is_closing() {
            return true;
        }
        now.since(self.tick()) > if self.is_confirmed() { KEEP_SECONDS } else { UNCONFIRMED_SECONDS }
    }

    /// Whether it has outlived its use.
    #[inline(always)]
    pub const fn is_over(self, now: Tick) -> bool {
        now.since(self.tick()) > if self.is_closing() { CLOSING_SECONDS } else { KEEP_SECONDS }
    }
}

impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Entry(backend {}, tick {}, confirmed {}, closing {})",
            self.backend(),
            self.tick().0,
            self.is_confirmed(),
            self.is_closing()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 0xfedc_ba98_7654_3210;

    #[test]
    fn an_entry_keeps_its_parts() {
        let now = Tick::from_seconds(1_000_000);
        let entry = Entry::from_word(Entry::new(HASH, 0x7ffe, now).word());
        assert!(entry.is_of(HASH) && !entry.is_of(HASH ^ (1 << 33)) && entry.is_of(HASH ^ 1));
        assert_eq!((entry.backend(), entry.tick()), (0x7ffe, now));
        assert_eq!((entry.row(12), entry.row(16)), (0xfed, 0xfedc));
        assert!(!entry.is_confirmed() && !entry.is_closing());
        let later = Tick::from_seconds(1_000_005);
        let refreshed = entry.refreshed(later, true);
        assert_eq!((refreshed.backend(), refreshed.tick()), (0x7ffe, later));
        assert!(refreshed.is_confirmed() && refreshed.is_closing() && refreshed.is_of(HASH));
    }

    #[test]
    fn no_entry_looks_empty() {
        assert!(!Entry::new(0, 0, Tick::from_seconds(0)).is_empty());
        assert!(!Entry::new(0, 0, Tick::from_seconds(TICKS)).is_empty());
    }

    #[test]
    fn ages_survive_the_wrap() {
        for start in [0, TICKS - 2, TICKS - 1, TICKS, 12 * TICKS + 3] {
            for age in [0, 1, 3, 4, 3600] {
                assert_eq!(Tick::from_seconds(start + age).since(Tick::from_seconds(start)), age as u16);
            }
        }
    }

    #[test]
    fn an_entry_from_the_next_second_is_new() {
        for now in [100, TICKS - 1, TICKS] {
            assert_eq!(Tick::from_seconds(now).since(Tick::from_seconds(now + 1)), 0);
        }
    }

    #[test]
    fn only_a_live_confirmed_entry_is_safe() {
        let entry = Entry::new(HASH, 7, Tick::from_seconds(100));
        let at = Tick::from_seconds;
        assert!(!entry.is_free(at(103)) && entry.is_free(at(104)));
        let confirmed = entry.refreshed(at(101), false);
        assert!(!confirmed.is_free(at(4000)) && confirmed.is_free(at(101 + 7201)));
        assert!(confirmed.refreshed(at(102), true).is_free(at(102)));
        assert!(!confirmed.refreshed(at(102), true).is_over(at(132)));
        assert!(confirmed.refreshed(at(102), true).is_over(at(133)));
    }

    #[test]
    fn an_entry_that_may_be_taken_is_not_over() {
        let at = Tick::from_seconds;
        let entry = Entry::new(HASH, 7, at(100));
        assert!(entry.is_free(at(104)) && !entry.is_over(at(100 + 7200)) && entry.is_over(at(100 + 7201)));
    }
}
