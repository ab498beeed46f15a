//! A row's life: settled, moving, lookup, and settled again.
//!
//! A change unsettles the rows that it moves, so that connections which are older than the change stay where they are
//! (see `lb-ebpf`'s `balance::flows` for what the datapath does with such a row). This is the other half: which state
//! a row is put into when its owner changes, and when it may leave it. Pure functions of rows, owners and times.

use std::{collections::BTreeMap, sync::Arc};

use lb_common::{Row, RowState};

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

/// When each row of a ring last changed, in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Its default. A row that starts to move gets one, even if that is whom it had before.
    default_s: Vec<u64>,
    /// Anything of it.
    row_s: Vec<u64>,
}

impl Times {
    /// The times of a ring that was found as it is: as if everything had changed just now.
    pub(super) fn new(rows: usize, now_s: u64) -> Self {
        Self { default_s: vec![now_s; rows], row_s: vec![now_s; rows] }
    }

    pub(super) fn len(&self) -> usize {
        self.row_s.len()
    }

    /// Notes what has changed between two versions of a ring.
    pub(super) fn note(&mut self, old: &[Row], new: &[Row], now_s: u64) {
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            if old != new {
                self.row_s[index] = now_s;
            }
            if old.default() != new.default() || old.state() != new.state() {
                self.default_s[index] = now_s;
            }
        }
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
    if are_alike || first.state() != RowState::Settled { first } else { with_default(first.current(), first.current()) }
}

/// The row after its owner has become `owner`, given which backends may still be given packets (rule 3).
pub(super) fn moved(row: Row, owner: u16, serves: &dyn Fn(u16) -> bool) -> Row {
    let (current, default) = (row.current(), row.default());
    // Gone is sticky: what belonged to a backend that is no more belongs to the owner.
    let keep = |former: u16| if former != Row::NOBODY && serves(former) { former } else { owner };
    match row.state() {
        RowState::Moving => with_default(owner, keep(default)),
        RowState::Lookup if current == owner => row,
        RowState::Lookup => with_default(owner, keep(current)),
        RowState::Settled if current == owner => row,
        // Nobody's flows were dropped, so there is nothing to remember.
        RowState::Settled if keep(current) == owner => Row::settled(owner),
        RowState::Settled => with_default(owner, current),
    }
}

/// An unsettled row.
const fn with_default(current: u16, default: u16) -> Row {
    // Entries of flows that are elsewhere may exist even if nobody is the default any more.
    let state = if current == default { RowState::Lookup } else { RowState::Moving };
    Row::new(current, default, state)
}

/// What decides whether a row may go on.
pub(super) struct Ripeness<'a> {
    pub(super) census: &'a Census,
    pub(super) service: u32,
    pub(super) flip_s: u64,
    pub(super) now_s: u64,
}

/// The ring after a scan: moving rows whose time has come flip to lookup (rule 4), rows in lookup that no entry
/// belongs to settle (rule 5).
pub(super) fn ripened(rows: &Arc<[Row]>, times: &Times, ripeness: &Ripeness<'_>) -> Arc<[Row]> {
    let Ripeness { census, service, flip_s, now_s } = *ripeness;
    let occupied = census.rows.get(&service);
    let overflowed_s = census.overflowed_s.get(&service).copied().unwrap_or(0);
    let next = |index: usize, row: Row| match row.state() {
        RowState::Moving => {
            // A flow that found no room has spoken by then, and has found some or overflown again.
            let began_s = times.default_s[index].max(overflowed_s);
            if now_s.saturating_sub(began_s) >= flip_s {
                Row::new(row.current(), row.current(), RowState::Lookup)
            } else {
                row
            }
        }
        RowState::Lookup => {
            let has_entries = occupied.and_then(|rows| rows.get(index)).is_some_and(|occupied| *occupied);
            // A packet that read the row before it changed may still have inserted an entry a moment later.
            let is_later = census.began_s > times.row_s[index] + 1;
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

    #[test]
    fn every_way_to_move_a_row() {
        let all = |_: u16| true;
        let without_a = |slot: u16| slot != A;
        type Case<'a> = (Row, u16, &'a dyn Fn(u16) -> bool, Row);
        let cases: [Case<'_>; 12] = [
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
            assert_eq!(moved(row, owner, serves), expected, "{row:?} to {owner}");
        }
    }

    fn ripen(row: Row, census: &Census, now_s: u64) -> Row {
        let rows: Arc<[Row]> = [row].into();
        let times = Times::new(1, 1000);
        ripened(&rows, &times, &Ripeness { census, service: 7, flip_s: 3600, now_s })[0]
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
