//! Tables that are brought from one state to the next.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use lb_common::{COUNTED_ENTRIES, LongEntry, MAX_CHAIN, SingleEntry};
use proptest::prelude::*;

use super::model::{decide, list_of, lists};
use crate::lists::{Full, Heap, ListTables, Lists, Memory, Reader, Region, Sizes, Slots};

const NOW_S: u32 = 1000;

fn tables(sizes: Sizes) -> ListTables<Heap> {
    let memory = Heap::new(&sizes);
    let slots = Slots::read(memory.words(Region::Labels));
    ListTables::new(memory, sizes, [7, 8], slots, Arc::default())
}

/// Checks the tables against the model for every source; also that an entry which counts is named by its class.
fn agree(tables: &ListTables<Heap>, lists: &Lists, sources: &[IpAddr]) {
    let reader = Reader::new(tables.memory(), NOW_S);
    for &source in sources {
        for asked in [u64::MAX, 1 << 32, !1] {
            let found = reader.find(&source.into(), asked);
            let decision = decide(lists, source, asked, NOW_S);
            assert_eq!(list_of(found), decision.map(|decision| decision.list), "{source} {decision:?}");
            let Some(decision) = decision else { continue };
            let slot = tables.counted().get(decision.list, decision.net);
            let expected = decision.is_own.then_some(slot).flatten();
            let counted = (found.class() < COUNTED_ENTRIES).then(|| found.class());
            if lists.0[&decision.list].bulk.has(decision.net) && decision.is_own {
                continue;
            }
            assert_eq!(counted, expected, "{source} {decision:?}");
        }
    }
}

/// Prefixes close to each other, of all lengths.
fn net() -> impl Strategy<Value = IpNet> {
    let v4 = (0..6_u32, prop_oneof![16..=32_u8, 20..=32_u8, Just(24), Just(32)]).prop_map(|(low, length)| {
        IpNet::new_assert([10, 0, (low >> 1) as u8, (low as u8) << 6 | low as u8].into(), length)
    });
    let v6 = (0..6_u128, prop_oneof![0..=128_u8, Just(64), Just(128)]).prop_map(|(low, length)| {
        IpNet::new_assert(std::net::Ipv6Addr::from(0x2001_0db8 << 96 | low << 63 | low).into(), length)
    });
    prop_oneof![3 => v4, 1 => v6].prop_map(|net| net.trunc())
}

/// The addresses at which anything can change.
fn edges(lists: &[Arc<Lists>]) -> Vec<IpAddr> {
    let nets = lists
        .iter()
        .flat_map(|lists| lists.0.values())
        .flat_map(|list| list.bulk.iter().chain(list.own.iter().map(|(net, _)| net)).collect::<Vec<_>>());
    let mut edges: Vec<IpAddr> =
        nets.flat_map(|net| around(net.network()).into_iter().chain(around(net.broadcast()))).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn around(address: IpAddr) -> [IpAddr; 3] {
    match address {
        IpAddr::V4(v4) => {
            [-1, 0, 1].map(|step| std::net::Ipv4Addr::from_bits(v4.to_bits().wrapping_add_signed(step)).into())
        }
        IpAddr::V6(v6) => {
            [-1, 0, 1].map(|step| std::net::Ipv6Addr::from_bits(v6.to_bits().wrapping_add_signed(step)).into())
        }
    }
}

type Content = (u32, Vec<IpNet>, Vec<(IpNet, u32)>);

/// One state: a few lists with a few entries, some of which have expired.
fn state() -> impl Strategy<Value = Arc<Lists>> {
    let expiry = prop_oneof![Just(0), Just(1), Just(NOW_S), Just(NOW_S + 1), Just(u32::MAX)];
    let content = |number| {
        let (bulk, own) = (prop::collection::vec(net(), 0..5), prop::collection::vec((net(), expiry.clone()), 0..4));
        (bulk, own).prop_map(move |(bulk, own)| (number, bulk, own))
    };
    let contents: Vec<_> = [0, 32, 33, 63].map(content).into();
    contents.prop_map(|contents: Vec<Content>| {
        let borrowed: Vec<_> = contents.iter().map(|(number, bulk, own)| (*number, &bulk[..], &own[..])).collect();
        lists(&borrowed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_say_what_a_naive_longest_prefix_match_says(states in prop::collection::vec(state(), 1..5)) {
        let sources = edges(&states);
        let mut tables = tables(Sizes::LEAST);
        for state in &states {
            // So many entries around one address are refused before.
            if depth(state) > (MAX_CHAIN as usize - 1) / 2 {
                continue;
            }
            tables.bring_to(state).unwrap();
            agree(&tables, state, &sources);
        }
        tables.bring_to(&Arc::default()).unwrap();
        for region in [Region::Sieve, Region::Hints] {
            prop_assert!(tables.memory().words(region).iter().all(|word| word.load(std::sync::atomic::Ordering::Relaxed) == 0));
        }
    }
}

/// How many entries of their own lie around one address at the most.
fn depth(lists: &Lists) -> usize {
    let own: Vec<IpNet> = lists.0.values().flat_map(|list| list.own.iter()).map(|(net, _)| net).collect();
    own.iter().map(|net| own.iter().filter(|other| other.contains(net)).count()).max().unwrap_or(0)
}

/// A pseudo-random number that follows from another.
pub(super) fn mixed(number: u32) -> u32 {
    let number = (number ^ number >> 16).wrapping_mul(0x7feb_352d);
    let number = (number ^ number >> 15).wrapping_mul(0x846c_a68b);
    number ^ number >> 16
}

fn single(number: u32) -> IpNet {
    IpNet::from(IpAddr::from(mixed(number).to_be_bytes()))
}

fn single_v6(number: u32) -> IpNet {
    IpNet::new_assert(std::net::Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(mixed(number)) << 64).into(), 64)
}

fn pair(number: u32) -> IpNet {
    // Beside each other, so that they need few blocks.
    IpNet::new_assert(IpAddr::from((0x0a00_0000 + 2 * number).to_be_bytes()), 31)
}

/// Lines are filled as far as they may be, in small steps, so that entries must make room for others.
#[test]
fn a_table_takes_as_many_entries_as_it_says() {
    let mut tables = tables(Sizes::LEAST);
    let (singles, v4, v6) = (Sizes::LEAST.most_singles(), Sizes::LEAST.most_v4(), Sizes::LEAST.most_v6());
    let nets = |singles: usize, v4: usize, v6: usize| -> Vec<IpNet> {
        let v4 = (0..singles as u32).map(single).chain((0..v4 as u32).map(pair));
        v4.chain((0..v6 as u32).map(single_v6)).collect()
    };
    for part in [20, 10, 4, 2, 1] {
        let nets = nets(singles / part, v4 / part, v6 / part);
        tables.bring_to(&lists(&[(40, &nets, &[])])).unwrap();
        let reader = Reader::new(tables.memory(), NOW_S);
        assert!(nets.iter().all(|net| reader.find(&net.addr().into(), u64::MAX).list() == 40), "{part}");
    }
    for more in [nets(singles + 1, 0, 0), nets(0, v4 + 1, 0), nets(0, 0, v6 + 1)] {
        let state = lists(&[(40, &more, &[])]);
        assert_eq!(tables.bring_to(&state), Err(Full));
        let sizes = Sizes::of(&state);
        assert!([sizes.most_singles(), sizes.most_v4(), sizes.most_v6()].iter().any(|&most| most > more.len()));
        tables.bring_to(&Arc::default()).unwrap();
    }
    let is_entry = |region, mark: u64| {
        let words = tables.memory().words(region).iter();
        words.filter(|word| word.load(std::sync::atomic::Ordering::Relaxed) & !mark != 0).count()
    };
    let marks = [LongEntry::spilled(0), SingleEntry::spilled(0)];
    assert_eq!([is_entry(Region::LinesV4, marks[0]), is_entry(Region::Singles, marks[1])], [0, 0]);
}

/// A single address whose class has no short code, and one whose class has one again.
#[test]
fn classes_beyond_the_short_codes_are_found_among_the_longer_entries() {
    let count = SingleEntry::ELSEWHERE + 200;
    let nets: Vec<IpNet> = (0..count).map(single).collect();
    // A class of its own for each: the bits of its number say on which of sixteen lists it is.
    let state = |add: u32| {
        let of_list = |bit: u32| -> Vec<IpNet> {
            let on = |number: &u32| (number + add) >> bit & 1 != 0;
            (0..count).filter(on).map(|number| nets[number as usize]).collect()
        };
        let contents: Vec<_> = (0..16).map(|bit| (32 + bit, of_list(bit))).collect();
        let borrowed: Vec<_> = contents.iter().map(|(number, bulk)| (*number, &bulk[..], &[][..])).collect();
        lists(&borrowed)
    };
    let mut tables = tables(Sizes { lines_v4: 4096, classes: COUNTED_ENTRIES + (1 << 16), ..Sizes::LEAST });
    tables.publish();
    for add in [1, 100, 1] {
        let state = state(add);
        tables.bring_to(&state).unwrap();
        let reader = Reader::new(tables.memory(), NOW_S);
        for (number, net) in (0..).zip(&nets) {
            for bit in 0..16 {
                let found = reader.find(&net.addr().into(), 1 << (32 + bit));
                assert_eq!(!found.is_none(), (number + add) >> bit & 1 != 0, "{net} {bit}");
            }
        }
    }
    tables.bring_to(&Arc::default()).unwrap();
    let words = tables.memory().words(Region::LinesV4).iter();
    let mark = LongEntry::spilled(0);
    assert!(words.into_iter().all(|word| word.load(std::sync::atomic::Ordering::Relaxed) & !mark == 0));
}

/// While a tenth is replaced, both stand in the tables. Larger ones would cost another program, and half a second.
#[test]
fn a_tenth_can_be_replaced_in_tables_that_were_made_for_the_list() {
    let net = |number: u32, round: u32| {
        let seed = if number.is_multiple_of(10) { number | round << 24 } else { number };
        let length = [24, 24, 24, 32][number as usize % 4];
        IpNet::new_assert(IpAddr::from(mixed(seed).to_be_bytes()), length).trunc()
    };
    let state = |round| {
        let nets: Vec<IpNet> = (0..80_000).map(|number| net(number, round)).collect();
        lists(&[(40, &nets, &[])])
    };
    let mut tables = tables(Sizes::of(&state(0)));
    tables.publish();
    for round in 0..3 {
        assert_eq!(tables.bring_to(&state(round)), Ok(()), "{round}");
    }
}

#[test]
fn entries_keep_their_counters_as_long_as_they_are_there() {
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let (one, two) = (net("10.0.0.0/8"), net("2001:db8::1/128"));
    let mut tables = tables(Sizes::LEAST);
    tables.bring_to(&lists(&[(32, &[], &[(one, 0), (two, 77)])])).unwrap();
    let slots = (tables.counted().get(32, one).unwrap(), tables.counted().get(32, two).unwrap());
    assert_ne!(slots.0, slots.1);
    tables.bring_to(&lists(&[(32, &[two], &[(one, 5)]), (33, &[], &[(one, 0)])])).unwrap();
    assert_eq!((tables.counted().get(32, one), tables.counted().get(32, two)), (Some(slots.0), None));
    // What a successor finds.
    let found = Slots::read(tables.memory().words(Region::Labels));
    assert_eq!((found.get(32, one), found.get(32, two)), (Some(slots.0), None));
    assert_eq!(found.get(33, one), tables.counted().get(33, one));
}

#[test]
fn names_are_left_to_a_successor() {
    let mut tables = tables(Sizes::LEAST);
    let state = lists(&[(0, &[], &[]), (40, &[single(1)], &[])]);
    tables.bring_to(&state).unwrap();
    assert_eq!(crate::lists::names(tables.memory().words(Region::Names)), state.names());
    tables.bring_to(&lists(&[(40, &[], &[])])).unwrap();
    assert_eq!(crate::lists::names(tables.memory().words(Region::Names)), lists(&[(40, &[], &[])]).names());
}
