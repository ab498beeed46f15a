//! What packets do to a set that others change at the same time. What they do alone, the tests of the state rules show.

extern crate std;

use std::{cell::RefCell, vec, vec::Vec};

use lb_common::{BackendFlags, Entry, FLOW_WAYS, Row, RowState, Tick, Trail};

use super::{
    flows::{Arrival, FlowSet, FlowTable, look, steer},
    fragments::{recall, remember},
};

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

#[test]
fn a_look_leaves_no_trace() {
    let closing = entry(A).refreshed(Tick::from_seconds(NOW_S - 1), true);
    for (entries, state, expected) in [
        (vec![], RowState::Moving, A),
        (vec![entry(B)], RowState::Moving, B),
        (vec![entry(B).refreshed(Tick::from_seconds(NOW_S - 1), false)], RowState::Moving, B),
        (vec![closing], RowState::Lookup, A),
        // Any other packet would erase this one.
        (vec![entry(B)], RowState::Lookup, B),
        (vec![], RowState::Lookup, B),
    ] {
        let contended = Contended::new(&entries, false);
        let before = contended.entries.borrow().clone();
        let row = if state == RowState::Moving { Row::new(B, A, state) } else { Row::new(B, B, state) };
        assert_eq!(look(HASH, row, &&contended), expected, "{entries:?} {state:?}");
        assert_eq!(*contended.entries.borrow(), before);
        assert!(contended.overflows.borrow().is_empty());
    }
}

#[test]
fn a_look_does_not_go_to_a_backend_that_does_not_serve() {
    struct Gone(Contended);
    impl FlowTable for Gone {
        fn set(&self, _: u64) -> Option<impl FlowSet> {
            Some(&self.0)
        }
        fn now(&self) -> Tick {
            Tick::from_seconds(NOW_S)
        }
        fn note_overflow(&self, _: u32) {}
        fn duties(&self, _: u16) -> u8 {
            0
        }
    }
    assert_eq!(look(HASH, Row::new(B, A, RowState::Moving), &Gone(Contended::new(&[entry(B)], false))), A);
}

#[test]
fn a_fragmented_packet_is_known_for_half_a_minute() {
    let at = Tick::from_seconds;
    let contended = Contended::new(&[], false);
    let set = &contended;
    assert_eq!(recall(&set, HASH, at(NOW_S)).backend(), None);
    remember(&set, HASH, Trail::to_backend(7), at(NOW_S));
    assert_eq!(recall(&set, HASH, at(NOW_S + 30)).backend(), Some(7));
    assert_eq!(recall(&set, HASH, at(NOW_S + 31)).backend(), None);
    assert_eq!(recall(&set, HASH ^ (1 << 40), at(NOW_S)).backend(), None);
    remember(&set, HASH, Trail::to_backend(8), at(NOW_S + 31));
    assert_eq!(recall(&set, HASH, at(NOW_S + 31)).backend(), Some(8), "it is replaced in its own place");
    assert_eq!(contended.entries.borrow().iter().filter(|entry| !entry.is_empty()).count(), 1);
}

#[test]
fn the_oldest_fragmented_packet_makes_room() {
    let at = Tick::from_seconds;
    let contended = Contended::new(&[], false);
    let set = &contended;
    let packet = |number: u64| number << 40;
    for number in 1..=8 {
        remember(&set, packet(number), Trail::to_backend(number as u16), at(NOW_S + number % 8));
    }
    remember(&set, packet(9), Trail::to_backend(9), at(NOW_S + 9));
    let now = at(NOW_S + 9);
    assert_eq!(recall(&set, packet(8), now).backend(), None, "it came first");
    assert!((1..=7).chain([9]).all(|number| recall(&set, packet(number), now).backend() == Some(number as u16)));
    // Over-aged ones go before younger ones.
    remember(&set, packet(10), Trail::to_backend(10), at(NOW_S + 32));
    assert_eq!(recall(&set, packet(1), at(NOW_S + 32)).backend(), None);
    assert_eq!(recall(&set, packet(2), at(NOW_S + 32)).backend(), Some(2));
}
