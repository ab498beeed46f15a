//! What packets do to a set that others change at the same time. What they do alone, the tests of the state rules show.

extern crate std;

use std::{cell::RefCell, vec, vec::Vec};

use lb_common::{BackendFlags, Entry, FLOW_WAYS, Row, RowState, Tick};

use super::flows::{Arrival, FlowSet, FlowTable, steer};

const A: u16 = 1;
const B: u16 = 2;
const HASH: u64 = 0xfedc_ba98_7654_3210;
const NOW_S: u64 = 1000;

/// One set, of which others change a way just before it would be replaced.
struct Contended {
    entries: RefCell<Vec<Entry>>,
    is_lost: bool,
    overflows: RefCell<Vec<u32>>,
}

impl Contended {
    fn new(entries: &[Entry], is_lost: bool) -> Self {
        let mut set = vec![Entry::EMPTY; FLOW_WAYS];
        set[..entries.len()].copy_from_slice(entries);
        Self { entries: set.into(), is_lost, overflows: RefCell::default() }
    }

    fn steer(&self, state: RowState, opens: bool) -> u16 {
        let row = if state == RowState::Moving { Row::new(B, A, state) } else { Row::new(B, B, state) };
        steer(&Arrival { hash: HASH, row, service: 7, opens, closes: false, by_client: false }, &self)
    }
}

impl FlowTable for &Contended {
    fn set(&self, _: u64) -> Option<impl FlowSet> {
        Some(*self)
    }

    fn now(&self) -> Tick {
        Tick::from_seconds(NOW_S)
    }

    fn note_overflow(&self, service: u32) {
        self.overflows.borrow_mut().push(service);
    }

    fn duties(&self, _: u16) -> u8 {
        BackendFlags::SERVES
    }
}

impl FlowSet for &Contended {
    fn entry(&self, way: u32) -> Entry {
        self.entries.borrow()[way as usize]
    }

    fn replace(&self, way: u32, old: Entry, new: Entry) -> bool {
        let entry = &mut self.entries.borrow_mut()[way as usize];
        let is_same = !self.is_lost && *entry == old;
        if is_same {
            *entry = new;
        }
        is_same
    }
}

fn entry(backend: u16) -> Entry {
    Entry::new(HASH, backend, Tick::from_seconds(NOW_S - 1))
}

#[test]
fn a_new_flow_that_loses_its_place_is_made_an_old_one() {
    let contended = Contended::new(&[], true);
    assert_eq!(contended.steer(RowState::Moving, true), A);
    assert!(contended.overflows.borrow().is_empty(), "an old flow's next packet will say so");
}

#[test]
fn an_old_flow_that_loses_its_place_keeps_the_row_from_flipping() {
    let contended = Contended::new(&[], true);
    assert_eq!(contended.steer(RowState::Moving, false), A);
    assert_eq!(*contended.overflows.borrow(), [7]);
}

#[test]
fn a_known_flow_that_loses_a_race_stays_where_it_is() {
    for state in [RowState::Moving, RowState::Lookup] {
        let contended = Contended::new(&[entry(A)], true);
        assert_eq!(contended.steer(state, false), A);
        assert!(contended.overflows.borrow().is_empty());
    }
}

#[test]
fn the_second_packet_confirms_and_the_third_of_a_second_writes_nothing() {
    let contended = Contended::new(&[Entry::EMPTY, entry(A)], false);
    assert_eq!(contended.steer(RowState::Moving, false), A);
    let confirmed = contended.entries.borrow()[1];
    assert!(confirmed.is_confirmed() && confirmed.tick() == Tick::from_seconds(NOW_S));
    let contended = Contended::new(&[confirmed], true);
    assert_eq!(contended.steer(RowState::Moving, false), A);
}

#[test]
fn without_a_set_there_is_the_answer_without_state() {
    struct Nothing;
    impl FlowTable for Nothing {
        fn set(&self, _: u64) -> Option<impl FlowSet> {
            None::<&Contended>
        }
        fn now(&self) -> Tick {
            Tick::from_seconds(NOW_S)
        }
        fn note_overflow(&self, _: u32) {}
        fn duties(&self, _: u16) -> u8 {
            BackendFlags::SERVES
        }
    }
    let row = Row::new(B, A, RowState::Moving);
    for opens in [true, false] {
        assert_eq!(
            steer(&Arrival { hash: HASH, row, service: 7, opens, closes: false, by_client: false }, &Nothing),
            A
        );
    }
}
