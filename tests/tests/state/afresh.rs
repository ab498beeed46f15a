//! A node that starts without tables: its rows are what they would be had it never been away.

use std::cell::Cell;

use lb_common::RowState;
use lb_userspace::{
    model::{AdminState, Protocol, Track},
    plan::Health,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use tests::sim::Node;

use super::{FLIP_S, data, node, open};

#[test]
fn a_rebooted_node_knows_the_drain_of_this_morning() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    node.wait(FLIP_S / 2);
    let mut rebooted = node.rebooted(120);
    assert_eq!((data(&rebooted, 1).as_str(), open(&rebooted, 2).as_str()), ("a", "b"));
    rebooted.wait(FLIP_S / 2 - 121);
    assert_eq!(rebooted.rows_in(RowState::Moving), rebooted.rows().len());
    rebooted.wait(1);
    assert_eq!(rebooted.rows_in(RowState::Moving), 0, "the time counts from the change");
}

/// A pool seeds the rings of all services that use it, those of the past too.
#[test]
fn the_past_of_a_service_with_a_pool_has_the_pools_rings() {
    let mut node = node();
    node.change(|service| service.pool = Some("servers".to_owned()));
    node.set_state("b", AdminState::Up);
    node.set_state("c", AdminState::Up);
    node.wait(2 * FLIP_S);
    node.set_state("c", AdminState::Drain);
    assert!((1..node.rows().len()).contains(&node.rows_in(RowState::Moving)));
    let rebooted = node.rebooted(60);
    // Who has the flows that nobody remembers.
    let defaults =
        |node: &Node| node.rows().iter().map(|row| node.name(row.default()).map(str::to_owned)).collect::<Vec<_>>();
    assert!(defaults(&rebooted) == defaults(&node));
}

#[test]
fn a_node_that_was_away_for_long_starts_settled() {
    let mut node = node();
    node.hand_to("b");
    let mut rebooted = node.rebooted(FLIP_S);
    assert_eq!(rebooted.rows_in(RowState::Moving), 0);
    assert_eq!(data(&rebooted, 1), "b");
    rebooted.tick(2);
    assert_eq!(rebooted.rows_in(RowState::Settled), rebooted.rows().len());
}

#[test]
fn a_backend_that_is_gone_is_not_remembered() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    node.remove("a");
    let rebooted = node.rebooted(10);
    assert_eq!(data(&rebooted, 1), "b");
    assert!(rebooted.rows().iter().all(|row| rebooted.name(row.default()) == Some("b")));
}

/// At first no backend has been checked: old flows stay where they are, and new ones wait for the checks.
#[test]
fn a_rebooted_node_waits_for_its_checks() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    node.tick(60);
    for backend in ["a", "b", "c"] {
        node.set_health(backend, Health::Starting);
    }
    let mut rebooted = node.rebooted(10);
    assert_eq!((data(&rebooted, 1).as_str(), rebooted.packet(2, tests::sim::Kind::Syn)), ("a", None));
    for backend in ["a", "b", "c"] {
        rebooted.set_health(backend, Health::Up);
    }
    assert_eq!((data(&rebooted, 1).as_str(), open(&rebooted, 2).as_str()), ("a", "b"));
}

/// The backends that there may be.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Toggle(usize),
    SetState(usize, AdminState),
    Weigh(usize, u32),
    Check(usize, Health),
    Resize(u32),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let backend = || 0..NAMES.len();
    let state = prop_oneof![Just(AdminState::Up), Just(AdminState::Drain), Just(AdminState::Disabled)];
    let health = prop_oneof![3 => Just(Health::Up), 2 => Just(Health::Suspect), 1 => Just(Health::Gone)];
    let seconds = prop_oneof![2 => 0u64..4, 3 => 4u64..1000, 3 => 1000u64..4000, 1 => 4000u64..40_000];
    let step = prop_oneof![
        2 => backend().prop_map(Step::Toggle),
        4 => (backend(), state).prop_map(|(backend, state)| Step::SetState(backend, state)),
        3 => (backend(), 0u32..300).prop_map(|(backend, weight)| Step::Weigh(backend, weight)),
        3 => (backend(), health).prop_map(|(backend, health)| Step::Check(backend, health)),
        1 => (10u32..12).prop_map(Step::Resize),
        6 => seconds.prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..40)
}

fn play(node: &mut Node, step: &Step) {
    match *step {
        Step::Toggle(backend) if node.slot(NAMES[backend]).is_some() => node.remove(NAMES[backend]),
        Step::Toggle(backend) => node.add(NAMES[backend]),
        Step::SetState(backend, state) if node.slot(NAMES[backend]).is_some() => node.set_state(NAMES[backend], state),
        Step::Weigh(backend, weight) if node.slot(NAMES[backend]).is_some() => node.weigh(NAMES[backend], weight),
        Step::Check(backend, health) => node.set_health(NAMES[backend], health),
        Step::Resize(bits) => node.change(|service| service.ring.bits = bits),
        Step::Wait(seconds) => node.wait(seconds),
        Step::SetState(..) | Step::Weigh(..) => {}
    }
}

/// Who the rows' flows belong to, by name. A row that is looked up for the sake of flows which nobody knows is as good as
/// settled.
fn owners(node: &Node) -> Vec<(Option<String>, Option<String>)> {
    let name = |slot| node.name(slot).map(ToOwned::to_owned);
    node.rows().iter().map(|row| (name(row.current()), name(row.default()))).collect()
}

fn twins(protocol: Protocol, track: Track, cases: u32) -> usize {
    let config = Config { cases, rng_seed: RngSeed::Fixed(0x51_1ce), failure_persistence: None, ..Config::default() };
    let moving = Cell::new(0);
    let result = TestRunner::new(config).run(&(steps(), 0u64..2000), |(steps, away_s)| {
        let mut node = Node::new(protocol, &NAMES[..2], 1);
        node.change(|service| service.track = track);
        steps.iter().for_each(|step| play(&mut node, step));
        node.tick(0);
        let mut rebooted = node.rebooted(away_s);
        node.wait(away_s);
        prop_assert_eq!(owners(&rebooted), owners(&node), "at once");
        moving.set(moving.get() + usize::from(node.rows().iter().any(|row| row.current() != row.default())));
        for seconds in [1000, 3600] {
            node.wait(seconds);
            rebooted.wait(seconds);
            prop_assert_eq!(owners(&rebooted), owners(&node), "{} s later", seconds);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    moving.get()
}

#[test]
fn rows_are_what_they_would_be() {
    let moving = [
        twins(Protocol::Tcp, Track::Changes, 60),
        twins(Protocol::Tcp, Track::Always, 25),
        twins(Protocol::Tcp, Track::Never, 8),
        twins(Protocol::Udp, Track::Changes, 15),
    ];
    assert!(moving[0] > 10 && moving[1] > 4 && moving[2] == 0, "{moving:?}");
}
