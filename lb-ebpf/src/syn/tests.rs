//! What happens over time, in memories of one line each: every number finds the same one, as in a flood that is large enough.

extern crate std;

use std::{cell::Cell, cell::RefCell, vec::Vec};

use lb_common::{Address, HashKey, SynEvent, SynSettings};

use super::{
    Line, Memory, Segment, SynTables,
    pace::Pace,
    retries,
    sources::{self, Standing},
    watch::watch,
};
use crate::wire::tcp::flags::{ACK, FIN, RST, SYN};

const KEY: HashKey = HashKey::expand([1, 2]);
const SETTINGS: SynSettings =
    SynSettings { keys: [[1, 2], [3, 4]], epoch: 7, keep_s: 60, source_syns: 3, answers: 4, retries: 5, zero: 0 };

struct OneLine {
    lines: [[Cell<u64>; 8]; 5],
    now_ms: Cell<u64>,
    counted: RefCell<Vec<SynEvent>>,
}

impl OneLine {
    fn new() -> Self {
        Self { lines: Default::default(), now_ms: Cell::new(100_000), counted: RefCell::default() }
    }

    fn pass(&self, milliseconds: u64) {
        self.now_ms.set(self.now_ms.get() + milliseconds);
    }

    fn comes_again(&self, sequence: u32) -> bool {
        retries::comes_again(&segment(sequence), &KEY, self)
    }

    fn admit(&self, source: u64) -> bool {
        sources::admit(source, &SETTINGS, &KEY, self)
    }

    /// `None` if the source is unknown, or else whether its SYN is let in.
    fn ask(&self, source: u64) -> Option<bool> {
        match sources::ask(source, &SETTINGS, &KEY, self) {
            Standing::Unknown => None,
            Standing::Welcome => Some(true),
            Standing::TooMany => Some(false),
        }
    }
}

impl SynTables for OneLine {
    fn syn_settings(&self) -> Option<&SynSettings> {
        Some(&SETTINGS)
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn line(&self, memory: Memory, _: u32) -> Option<impl Line> {
        Some(&self.lines[memory as usize])
    }

    fn count_syn(&self, _: u16, event: SynEvent) {
        self.counted.borrow_mut().push(event);
    }
}

impl Line for &[Cell<u64>; 8] {
    fn load(&self, word: u32) -> u64 {
        self[word as usize].get()
    }

    fn store(&self, word: u32, value: u64) {
        self[word as usize].set(value);
    }

    fn replace(&self, word: u32, old: u64, new: u64) -> bool {
        let is_it = self.load(word) == old;
        if is_it {
            self.store(word, new);
        }
        is_it
    }
}

fn segment(sequence: u32) -> Segment {
    Segment {
        source: Address::v4(0x0a01_0001),
        destination: Address::v4(0x0a00_0064),
        source_port: 40000,
        destination_port: 80,
        sequence,
        is_reset: false,
    }
}

#[test]
fn a_flood_does_not_push_out_a_syn_before_it_comes_again() {
    let memory = OneLine::new();
    assert!(!memory.comes_again(0));
    for flood in 1..=1000 {
        assert!(!memory.comes_again(flood));
        memory.pass(1);
    }
    assert!(memory.comes_again(0));
    assert!(!memory.comes_again(0), "it was let in once");
}

#[test]
fn a_syn_that_finds_no_place_finds_one_when_those_before_it_are_old() {
    let memory = OneLine::new();
    (1..=8).for_each(|flood| assert!(!memory.comes_again(flood)));
    memory.pass(500);
    assert!(!memory.comes_again(0), "there was no place");
    memory.pass(1000);
    assert!(!memory.comes_again(0), "it was not remembered, and is now");
    memory.pass(2000);
    assert!(memory.comes_again(0));
}

#[test]
fn who_has_not_lost_the_place_may_come_late() {
    let memory = OneLine::new();
    assert!(!memory.comes_again(0));
    memory.pass(4000);
    assert!(memory.comes_again(0));
    assert!(!memory.comes_again(1));
    memory.pass(4001);
    assert!(!memory.comes_again(1), "it is a new one now");
    memory.pass(900);
    assert!(memory.comes_again(1));
}

#[test]
fn times_survive_the_wrap() {
    let memory = OneLine::new();
    memory.now_ms.set((1 << 20) - 300);
    assert!(!memory.comes_again(0));
    memory.pass(1000);
    assert!(memory.comes_again(0));
}

#[test]
fn a_source_is_let_in_for_a_time_that_nothing_lengthens() {
    let memory = OneLine::new();
    assert_eq!(memory.ask(7), None);
    assert!(memory.admit(7));
    for _ in 0..59 {
        assert_eq!(memory.ask(7), Some(true));
        memory.pass(1000);
        memory.admit(7);
    }
    assert_eq!(memory.ask(7), Some(true));
    memory.pass(1000);
    assert_eq!(memory.ask(7), None);
    assert!(memory.admit(7), "it may prove itself again");
}

#[test]
fn proofs_count_while_others_of_the_same_moment_are_on_their_way() {
    let memory = OneLine::new();
    assert!(memory.admit(7) && memory.admit(7));
    memory.pass(2000);
    assert!(!memory.admit(7));
}

#[test]
fn a_source_may_send_so_many_syns_a_second() {
    let memory = OneLine::new();
    memory.admit(7);
    for _ in 0..3 {
        let asked = [(); 5].map(|()| memory.ask(7));
        assert_eq!(asked, [Some(true), Some(true), Some(true), Some(false), Some(false)]);
        memory.pass(1000);
    }
}

#[test]
fn the_proof_of_longest_ago_makes_room() {
    let memory = OneLine::new();
    for source in 1..=5 {
        memory.admit(source);
        memory.pass(1000);
    }
    assert_eq!([1, 2, 3, 4, 5].map(|source| memory.ask(source).is_some()), [false, true, true, true, true]);
}

#[test]
fn a_place_whose_time_is_over_is_taken_before_one_that_lives() {
    let memory = OneLine::new();
    (1..=3).for_each(|source| assert!(memory.admit(source)));
    memory.pass(30_000);
    memory.admit(4);
    memory.pass(30_000);
    (5..=7).for_each(|source| assert!(memory.admit(source)));
    assert_eq!([4, 5, 6, 7].map(|source| memory.ask(source)), [Some(true); 4]);
}

#[test]
fn a_source_is_an_address_or_a_64() {
    let v6 = |words| sources::identity(&Address::v6(words));
    assert_eq!(v6([0x2001_0db8, 1, 2, 3]), v6([0x2001_0db8, 1, 9, 9]));
    assert_ne!(v6([0x2001_0db8, 1, 2, 3]), v6([0x2001_0db8, 2, 2, 3]));
    let v4 = |bits| sources::identity(&Address::v4(bits));
    assert_ne!(v4(0x0a01_0001), v4(0x0a01_0002));
    assert_eq!(v4(0x0a01_0001) >> 8, v4(0x0a01_0002) >> 8, "the same /24");
    assert_ne!(v4(0x0a01_0001) >> 8, v4(0x0a01_0102) >> 8);
}

#[test]
fn a_pace_begins_anew_with_each_second() {
    let memory = OneLine::new();
    for _ in 0..3 {
        let spent = [(); 6].map(|()| Pace::of_service(3).spend(4, &memory));
        assert_eq!(spent, [true, true, true, true, false, false]);
        assert!(Pace::of_service(4).spend(4, &memory), "another service has a pace of its own");
        memory.pass(1000);
    }
    assert!(!Pace::of_service(3).spend(0, &memory));
}

#[test]
fn a_handshake_is_begun_once_and_finished_once() {
    let memory = OneLine::new();
    let see = |flags| watch(0xfedc_ba98_7654_3200, 1, flags, &memory);
    see(ACK);
    assert_eq!(*memory.counted.borrow(), []);
    // The host at a made-up address says that it has not asked for a connection.
    [SYN, SYN, RST, RST | ACK].into_iter().for_each(see);
    assert_eq!(*memory.counted.borrow(), [SynEvent::Opened]);
    [ACK, ACK, FIN | ACK].into_iter().for_each(see);
    assert_eq!(*memory.counted.borrow(), [SynEvent::Opened, SynEvent::Completed]);
}
