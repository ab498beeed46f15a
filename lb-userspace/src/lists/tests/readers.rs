//! Somebody looks sources up while the tables are written: who is on a list before and after is found all the time, and who
//! is on none never.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use lb_common::{Address, ListHead, SingleEntry};

use super::{model::lists, tables::mixed};
use crate::lists::{Heap, ListTables, Lists, Memory, Reader, Region, Sizes, Slots};

/// Tables on the heap that somebody reads.
struct Shared {
    heap: Heap,
    /// Look-ups that have ended. Two more than when somebody began to wait: what was running then is through.
    ended: AtomicU64,
}

impl Memory for Arc<Shared> {
    fn words(&self, region: Region) -> &[AtomicU64] {
        self.heap.words(region)
    }

    fn grace(&self) {
        let (began, since) = (self.ended.load(Ordering::SeqCst), Instant::now());
        while self.ended.load(Ordering::SeqCst) < began + 2 {
            assert!(since.elapsed() < Duration::from_secs(10), "nobody looks anything up any more");
            thread::yield_now();
        }
    }

    fn reset_entry(&self, _: u32) {}

    fn reset_list(&self, _: u32) {}
}

/// Sources that are covered in every state, by other entries in each.
fn always(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 | mixed(number) & 0x3_ffff).to_be_bytes())
}

fn always_v6(number: u32) -> IpAddr {
    std::net::Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(mixed(number) & 0xffff) << 60 | 1).into()
}

/// Sources that no state covers, in the same /24s and prefixes.
fn never(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(v4) => (v4.to_bits() ^ 2).to_be_bytes().into(),
        IpAddr::V6(v6) => std::net::Ipv6Addr::from(v6.to_bits() ^ 1 << 127).into(),
    }
}

/// A state: of the sources that are covered always, and of others that come and go. Each is covered by another length, in
/// another list, with other neighbours; the sources' last two bits are 0, so that a stranger is in the other half of a /30.
pub(super) fn state(round: u32, sources: &[IpAddr], sometimes: &[IpAddr]) -> Arc<Lists> {
    let length = |source: &IpAddr, number: u32| {
        let choice = mixed(number ^ round << 20);
        if source.is_ipv4() { [32, 31][choice as usize % 2] } else { [128, 127, 100, 64, 63][choice as usize % 5] }
    };
    let mut nets: [Vec<IpNet>; 3] = Default::default();
    let (mut own, mut alone) = (Vec::new(), Vec::new());
    for (number, source) in (0..).zip(sources) {
        let net = IpNet::new_assert(*source, length(source, number)).trunc();
        // Always on one of the lists, by a prefix of changing length, beside the others.
        alone.push(IpNet::new_assert(*source, length(source, !number)).trunc());
        match mixed(number ^ round << 16) % 4 {
            3 => own.push((net, if number.is_multiple_of(2) { 0 } else { u32::MAX })),
            list => nets[list as usize].push(net),
        }
    }
    // Short prefixes beside, which share slots and blocks with them.
    let others =
        sometimes.iter().enumerate().filter(|(number, _)| mixed(*number as u32 ^ round << 12).is_multiple_of(3));
    nets[0].extend(others.map(|(number, source)| {
        let length = if source.is_ipv4() { [18, 22, 24, 25, 30, 32][number % 6] } else { 64 };
        IpNet::new_assert(*source, length).trunc()
    }));
    lists(&[(33, &nets[0], &[]), (40, &nets[1], &own), (50, &alone, &[]), (63, &nets[2], &[])])
}

/// Small tables, so that entries have to move; sources that are always covered, and others.
pub(super) fn usual() -> (Sizes, Vec<IpAddr>, Vec<IpAddr>) {
    let mut sources: Vec<IpAddr> = (0..1200).map(always).map(even).chain((0..800).map(always_v6)).collect();
    sources.sort_unstable();
    sources.dedup();
    // In another part of the address space, so that they never cover the sources' neighbours.
    let sometimes = (0..500).map(|number| (0x0b00_0000 | mixed(number) & 0x3_ffff).to_be_bytes().into()).collect();
    (Sizes { lines_v4: 900, lines_v6: 2500, ..Sizes::LEAST }, sources, sometimes)
}

/// No table of single addresses is small, so these are chosen so that they crowd a few of its lines, both of each: states,
/// and those that are in all of them.
pub(super) fn crowding() -> (Sizes, impl Fn(u32) -> Arc<Lists>, Vec<IpAddr>) {
    const LINES: u32 = 64;
    let sizes = Sizes::LEAST;
    let head = ListHead::new(SEED, sizes.singles, sizes.lines_v4, sizes.lines_v6, sizes.guard_bits);
    let is_chosen = |address: &u32| head.single(*address).lines(&head).iter().all(|line| *line < LINES);
    let room = LINES as usize * SingleEntry::PER_LINE;
    let chosen = (0..u32::MAX).map(|number| number.wrapping_mul(0x9e37_79b1) << 2).filter(is_chosen);
    let mut sources: Vec<IpAddr> = chosen.take(room * 97 / 100).map(|source| source.to_be_bytes().into()).collect();
    let sometimes = sources.split_off(room / 2);
    let always = sources.clone();
    let state = move |round: u32| {
        let is_there = |number: usize| !mixed(number as u32 ^ round << 12).is_multiple_of(4);
        let come_and_go =
            sometimes.iter().enumerate().filter(|(number, _)| is_there(*number)).map(|(_, source)| source);
        let nets: Vec<IpNet> = always.iter().chain(come_and_go).map(|source| IpNet::from(*source)).collect();
        lists(&[(50, &nets, &[])])
    };
    (sizes, state, sources)
}

#[test]
fn who_is_listed_is_found_all_the_time_and_who_is_not_never() {
    let (sizes, sources, sometimes) = usual();
    while_changing(sizes, 40, |round| state(round, &sources, &sometimes), &sources);
}

#[test]
fn single_addresses_are_found_while_they_make_room_for_each_other() {
    let (sizes, state, sources) = crowding();
    while_changing(sizes, 40, state, &sources);
}

const SEED: [u64; 2] = [1, 2];

/// Tables that hold a state, and are read from now on.
pub(super) fn published<M: Memory>(memory: M, sizes: Sizes, state: &Arc<Lists>) -> ListTables<M> {
    let slots = Slots::read(memory.words(Region::Labels));
    let mut tables = ListTables::new(memory, sizes, SEED, slots, Arc::default());
    tables.bring_to(state).unwrap();
    tables.publish();
    tables
}

/// Brings tables from one state to the next while somebody looks up sources that are in all of them.
fn while_changing(sizes: Sizes, rounds: u32, state: impl Fn(u32) -> Arc<Lists>, sources: &[IpAddr]) {
    let memory = Arc::new(Shared { heap: Heap::new(&sizes), ended: AtomicU64::default() });
    let mut tables = published(Arc::clone(&memory), sizes, &state(0));
    let (is_over, looked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                look(&memory, sources);
                looked.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 1..rounds {
            tables.bring_to(&state(round)).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(looked.load(Ordering::Relaxed) > 10, "{looked:?} passes over all sources");
}

fn even(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(v4) => (v4.to_bits() & !3).to_be_bytes().into(),
        v6 @ IpAddr::V6(_) => v6,
    }
}

fn look(memory: &Arc<Shared>, sources: &[IpAddr]) {
    for &source in sources {
        let find = |source: IpAddr, lists: u64| {
            let found = Reader::new(memory, 1000).find(&Address::from(source), lists);
            memory.ended.fetch_add(1, Ordering::SeqCst);
            found
        };
        assert!(!find(source, u64::MAX).is_none(), "{source} has passed");
        assert!(!find(source, 1 << 50).is_none(), "{source} has passed one of its lists");
        let stranger = never(source);
        assert!(find(stranger, u64::MAX).is_none(), "{stranger} was found");
    }
}
