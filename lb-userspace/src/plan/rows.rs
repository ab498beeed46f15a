//! A row's life: settled, moving, lookup, and settled again.
//!
//! A change unsettles the rows that it moves, so that connections which are older than the change stay where they are
//! (see `lb-ebpf`'s `balance::flows` for what the datapath does with such a row). This is the other half: which state
//! a row is put into when its owner changes, and when it may leave it. Pure functions of rows, owners and times.

use std::{collections::BTreeMap, sync::Arc};

use lb_common::{KEEP_SECONDS, Row, RowState};

use crate::model::{Protocol, Service, Track};

/// How long a moving row keeps its former owner as the default of flows that nobody remembers, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// While the flow table is at most half full: connections idle for longer are rare.
    pub roomy_s: u64,
    /// While it is fuller.
    pub crowded_s: u64,
    /// For UDP: flows that are idle for longer are over.
    pub datagrams_s: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { roomy_s: 3600, crowded_s: 900, datagrams_s: 30 }
    }
}

impl Patience {
    /// How long a row of the service moves, in seconds.
    pub(super) const fn flip_s(&self, service: &Service, is_crowded: bool) -> u64 {
        match (service.affinity.clients(), service.protocol) {
            (Some(clients), _) => clients.timeout.as_secs(),
            (None, Protocol::Udp) => self.datagrams_s,
            (None, Protocol::Tcp) if is_crowded => self.crowded_s,
            (None, Protocol::Tcp) => self.roomy_s,
        }
    }

    /// For how long a silent flow of the service is remembered.
    pub(super) fn keep(&self, service: &Service) -> Keep {
        if service.track == Track::Never {
            return Keep { confirmed_s: 0, unconfirmed_s: 0 };
        }
        // Of whom a single packet was seen and nothing since, nothing is promised once its row has flipped: most are strangers
        // who sent no more than that one.
        let unconfirmed_s = u16::try_from(self.flip_s(service, false)).unwrap_or(KEEP_SECONDS).min(KEEP_SECONDS);
        let is_connection = service.affinity.clients().is_none() && service.protocol == Protocol::Tcp;
        Keep { confirmed_s: if is_connection { KEEP_SECONDS } else { unconfirmed_s }, unconfirmed_s }
    }
}

/// For how long a flow that says nothing stays in the flow table, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// If a second packet has shown that it is real.
    pub confirmed_s: u16,
    /// If not.
    pub unconfirmed_s: u16,
}

impl Default for Keep {
    /// Of a service that nothing is known of.
    fn default() -> Self {
        Self { confirmed_s: KEEP_SECONDS, unconfirmed_s: KEEP_SECONDS }
    }
}

/// What a scan of the flow table has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// When it began, in seconds of the caller's clock.
    pub began_s: u64,
    /// For each row of a ring whether entries belong to it, by service id. A service without entries is absent.
    pub rows: BTreeMap<u32, Vec<bool>>,
    /// Entries by backend slot.
    pub flows: BTreeMap<u16, u64>,
    /// When a flow of a service last found no room, by service id, in seconds of the same clock.
    pub overflowed_s: BTreeMap<u32, u64>,
    /// Whether more than half of the table is taken.
    pub is_crowded: bool,
}

/// When each row of a ring last changed, in seconds; negative if that was before the machine started.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Its default. A row that starts to move gets one, even if that is whom it had before.
    default_s: Vec<i64>,
    /// Anything of it.
    row_s: Vec<i64>,
}

impl Times {
    /// The times of a ring that was found as it is: as if everything had changed just now.
    pub(super) fn new(rows: usize, now_s: i64) -> Self {
        Self { default_s: vec![now_s; rows], row_s: vec![now_s; rows] }
    }

    pub(super) fn len(&self) -> usize {
        self.row_s.len()
    }

    /// Notes what has changed between two versions of a ring.
    pub(super) fn note(&mut self, old: &[Row], new: &[Row], now_s: i64) {
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            if old != new {
                self.row_s[index] = now_s;
            }
            let starts_to_move = old.current() == old.default() && new.current() != new.default();
            if old.default() != new.default() || old.state() != new.state() || starts_to_move {
                self.default_s[index] = now_s;
            }
        }
    }

    /// The same times by another clock, which is ahead by so much and shows `now_s` now. What is in its future was noted
    /// by a clock that was wrong: it is as if it had happened just now.
    pub(super) fn by_other_clock(mut self, ahead_s: i64, now_s: i64) -> Self {
        for time_s in self.default_s.iter_mut().chain(&mut self.row_s) {
            *time_s = time_s.saturating_add(ahead_s).min(now_s);
        }
        self
    }
}

/// A ring of `rows` rows as the rows before a change: as it was, split if it has grown, merged if it has shrunk.
pub(super) fn inherited(old: &[Row], rows: usize) -> Vec<Row> {
    match rows.checked_div(old.len()) {
        Some(split @ 1..) => old.iter().flat_map(|row| std::iter::repeat_n(*row, split)).collect(),
        _ => old.chunks(old.len() / rows.max(1)).map(merged).collect(),
    }
}

/// One row in place of several. It cannot have several former owners, so of flows that nobody remembers only those of
/// the first row stay where they are. Those of the others that are remembered do too, if the row is not settled.
fn merged(rows: &[Row]) -> Row {
    let first = rows[0];
    let are_alike = rows.iter().all(|row| *row == first);
    if are_alike || first.state() != RowState::Settled {
        first
    } else {
        unsettled(first.current(), first.current(), Track::Changes)
    }
}

/// The row after its owner has become `owner`, given which backends may still be given packets (rule 3).
///
/// Where all flows are tracked, a row does not settle: at rest it moves from its owner to its owner. Where none are, it is
/// always settled.
pub(super) fn moved(row: Row, owner: u16, serves: &dyn Fn(u16) -> bool, track: Track) -> Row {
    let (current, default) = (row.current(), row.default());
    // Gone is sticky: what belonged to a backend that is no more belongs to the owner.
    let keep = |former: u16| if former != Row::NOBODY && serves(former) { former } else { owner };
    match (track, row.state()) {
        (Track::Never, _) => Row::settled(owner),
        (_, RowState::Moving) => unsettled(owner, keep(default), track),
        (Track::Always, _) => unsettled(owner, keep(current), track),
        (Track::Changes, RowState::Lookup) if current == owner => row,
        (Track::Changes, RowState::Lookup) => unsettled(owner, keep(current), track),
        (Track::Changes, RowState::Settled) if current == owner => row,
        // Nobody's flows were dropped, so there is nothing to remember.
        (Track::Changes, RowState::Settled) if keep(current) == owner => Row::settled(owner),
        (Track::Changes, RowState::Settled) => unsettled(owner, current, track),
    }
}

/// An unsettled row.
const fn unsettled(current: u16, default: u16, track: Track) -> Row {
    // Entries of flows that are elsewhere may exist even if nobody is the default any more.
    let is_lookup = current == default && !matches!(track, Track::Always);
    Row::new(current, default, if is_lookup { RowState::Lookup } else { RowState::Moving })
}

/// What decides whether a row may go on.
pub(super) struct Ripeness<'a> {
    pub(super) census: &'a Census,
    pub(super) service: u32,
    pub(super) track: Track,
    pub(super) flip_s: u64,
    pub(super) now_s: i64,
}

/// The ring after a scan: moving rows whose time has come flip to lookup (rule 4), rows in lookup that no entry
/// belongs to settle (rule 5).
pub(super) fn ripened(rows: &Arc<[Row]>, times: &Times, ripeness: &Ripeness<'_>) -> Arc<[Row]> {
    let Ripeness { census, service, track, flip_s, now_s } = *ripeness;
    let occupied = census.rows.get(&service);
    let overflowed_s = census.overflowed_s.get(&service).map_or(i64::MIN, |at_s| at_s.cast_signed());
    let next = |index: usize, row: Row| match row.state() {
        RowState::Moving => {
            // A flow that found no room has spoken by then, and has found some or overflown again.
            let began_s = times.default_s[index].max(overflowed_s);
            let is_over = now_s.saturating_sub(began_s) >= flip_s.cast_signed();
            if is_over { unsettled(row.current(), row.current(), track) } else { row }
        }
        RowState::Lookup => {
            let has_entries = occupied.and_then(|rows| rows.get(index)).is_some_and(|occupied| *occupied);
            // A packet that read the row before it changed may still have inserted an entry a moment later.
            let is_later = census.began_s.cast_signed() > times.row_s[index] + 1;
            if is_later && !has_entries { Row::settled(row.current()) } else { row }
        }
        RowState::Settled => row,
    };
    rows.iter().enumerate().map(|(index, row)| next(index, *row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u16 = 1;
    const B: u16 = 2;
    const C: u16 = 3;

    fn moving(current: u16, default: u16) -> Row {
        Row::new(current, default, RowState::Moving)
    }

    fn lookup(current: u16) -> Row {
        Row::new(current, current, RowState::Lookup)
    }

    /// Which backends serve.
    type Serves<'a> = &'a dyn Fn(u16) -> bool;

    #[test]
    fn every_way_to_move_a_row() {
        let all = |_: u16| true;
        let without_a = |slot: u16| slot != A;
        let cases: [(Row, u16, Serves<'_>, Row); 12] = [
            (Row::settled(A), A, &all, Row::settled(A)),
            (Row::settled(A), B, &all, moving(B, A)),
            (Row::settled(A), B, &without_a, Row::settled(B)),
            (Row::settled(Row::NOBODY), B, &all, Row::settled(B)),
            (Row::settled(A), Row::NOBODY, &all, moving(Row::NOBODY, A)),
            // A→B→A: what went to B is remembered.
            (moving(B, A), A, &all, lookup(A)),
            // A→B→C with A alive, and dead.
            (moving(B, A), C, &all, moving(C, A)),
            (moving(B, A), C, &without_a, lookup(C)),
            // A dies while the row moves.
            (moving(B, A), B, &without_a, lookup(B)),
            (lookup(B), B, &all, lookup(B)),
            (lookup(A), B, &all, moving(B, A)),
            (lookup(A), B, &without_a, lookup(B)),
        ];
        for (row, owner, serves, expected) in cases {
            assert_eq!(moved(row, owner, serves, Track::Changes), expected, "{row:?} to {owner}");
        }
    }

    #[test]
    fn a_row_whose_flows_are_all_tracked_never_settles() {
        let all = |_: u16| true;
        let without_a = |slot: u16| slot != A;
        let cases: [(Row, u16, Serves<'_>, Row); 8] = [
            (Row::settled(A), A, &all, moving(A, A)),
            (Row::settled(A), B, &all, moving(B, A)),
            (lookup(A), B, &all, moving(B, A)),
            (moving(A, A), A, &all, moving(A, A)),
            (moving(A, A), B, &all, moving(B, A)),
            (moving(A, A), B, &without_a, moving(B, B)),
            (moving(B, A), A, &all, moving(A, A)),
            (moving(B, A), C, &all, moving(C, A)),
        ];
        for (row, owner, serves, expected) in cases {
            assert_eq!(moved(row, owner, serves, Track::Always), expected, "{row:?} to {owner}");
        }
        // And is an ordinary one as soon as that is no longer wanted.
        assert_eq!(moved(moving(A, A), A, &all, Track::Changes), lookup(A));
        assert_eq!(moved(moving(A, A), B, &all, Track::Changes), moving(B, A));
    }

    #[test]
    fn a_row_whose_flows_are_not_tracked_is_always_settled() {
        for row in [Row::settled(A), moving(B, A), lookup(A), moving(A, A)] {
            assert_eq!(moved(row, C, &|_| true, Track::Never), Row::settled(C));
        }
    }

    #[test]
    fn a_row_whose_flows_are_all_tracked_forgets_its_former_owner_in_time() {
        let rows: Arc<[Row]> = [moving(B, A)].into();
        let mut times = Times::new(1, 0);
        times.note(&[moving(A, A)], &rows, 1000);
        let census = Census::default();
        let ripeness = |now_s| Ripeness { census: &census, service: 7, track: Track::Always, flip_s: 3600, now_s };
        assert_eq!(ripened(&rows, &times, &ripeness(4599))[0], moving(B, A));
        assert_eq!(ripened(&rows, &times, &ripeness(4600))[0], moving(B, B));
    }

    #[test]
    fn times_of_another_clock() {
        let times = Times { default_s: vec![100, 500], row_s: vec![200, 600] }.by_other_clock(-450, 60);
        assert_eq!((times.default_s, times.row_s), (vec![-350, 50], vec![-250, 60]));
    }

    fn ripen(row: Row, census: &Census, now_s: i64) -> Row {
        let rows: Arc<[Row]> = [row].into();
        let times = Times::new(1, 1000);
        ripened(&rows, &times, &Ripeness { census, service: 7, track: Track::Changes, flip_s: 3600, now_s })[0]
    }

    #[test]
    fn a_moving_row_flips_when_its_time_has_come() {
        let census = Census { began_s: 4600, ..Census::default() };
        assert_eq!(ripen(moving(B, A), &census, 4599), moving(B, A));
        assert_eq!(ripen(moving(B, A), &census, 4600), lookup(B));
    }

    /// The time of a flip counts from the change, however old the ring is, and not anew from later changes.
    #[test]
    fn a_row_that_starts_to_move_has_a_new_default() {
        for before in [Row::settled(A), lookup(A)] {
            let mut times = Times::new(1, 1000);
            times.note(&[before], &[moving(B, A)], 5000);
            assert_eq!((times.default_s[0], times.row_s[0]), (5000, 5000));
            times.note(&[moving(B, A)], &[moving(C, A)], 6000);
            assert_eq!((times.default_s[0], times.row_s[0]), (5000, 6000));
            times.note(&[moving(C, A)], &[lookup(C)], 7000);
            assert_eq!((times.default_s[0], times.row_s[0]), (7000, 7000));
        }
    }

    #[test]
    fn an_overflow_since_the_change_keeps_the_row_moving_for_as_long_again() {
        let overflowed = |at_s| Census { overflowed_s: [(7, at_s)].into(), ..Census::default() };
        assert_eq!(ripen(moving(B, A), &overflowed(2000), 5599), moving(B, A));
        assert_eq!(ripen(moving(B, A), &overflowed(2000), 5600), lookup(B));
        assert_eq!(ripen(moving(B, A), &overflowed(999), 4600), lookup(B));
    }

    #[test]
    fn a_row_settles_when_a_scan_that_began_later_finds_nothing() {
        let census = |began_s, occupied| Census { began_s, rows: [(7, vec![occupied])].into(), ..Census::default() };
        assert_eq!(ripen(lookup(B), &census(1001, false), 1001), lookup(B));
        assert_eq!(ripen(lookup(B), &census(1002, true), 1002), lookup(B));
        assert_eq!(ripen(lookup(B), &census(1002, false), 1002), Row::settled(B));
        assert_eq!(ripen(lookup(B), &Census { began_s: 1002, ..Census::default() }, 1002), Row::settled(B));
    }

    #[test]
    fn a_ring_that_grows_splits_its_rows() {
        assert_eq!(inherited(&[lookup(A), moving(B, A)], 4), [lookup(A), lookup(A), moving(B, A), moving(B, A)]);
        assert_eq!(inherited(&[lookup(A), moving(B, A)], 2), [lookup(A), moving(B, A)]);
    }

    #[test]
    fn a_ring_that_shrinks_merges_its_rows() {
        let settled = Row::settled;
        let pairs = [
            (settled(A), settled(A), settled(A)),
            (settled(A), settled(B), lookup(A)),
            (settled(A), lookup(A), lookup(A)),
            (moving(B, A), settled(A), moving(B, A)),
            (lookup(A), moving(B, C), lookup(A)),
        ];
        for (first, second, expected) in pairs {
            assert_eq!(inherited(&[first, second], 1), [expected], "{first:?} and {second:?}");
        }
    }
}
