//! Drains with a deadline, and slow starts.

use std::time::Duration;

use lb_common::RowState;
use lb_userspace::{model::AdminState, plan::Health};
use tests::sim::{Kind, Node};

use super::{FLIP_S, data, node, open, wait_sending};

#[test]
fn a_drain_ends_at_its_deadline() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    node.drain_for("a", 600);
    data(&node, 1);
    data(&node, 1);
    wait_sending(&mut node, 540, &[(1, "a")]);
    node.tick(59);
    assert_eq!(data(&node, 1), "a", "a second is left");
    node.tick(1);
    assert_eq!(data(&node, 1), "b", "the new owner says that the connection is over");
    assert_eq!(node.rows_in(RowState::Moving), 0, "and nobody waits for the others");
    node.tick(1);
    assert_eq!(node.census().flows.get(&node.slot("a").unwrap()), None);
}

/// The deadline is a time of day: no daemon needs to have been there.
#[test]
fn a_deadline_that_passes_while_nobody_looks() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    node.drain_for("a", 600);
    data(&node, 1);
    node.pass(601);
    assert_eq!(data(&node, 1), "a", "the tables know no deadlines");
    node.restart();
    assert_eq!(data(&node, 1), "b");
}

#[test]
fn a_drain_that_is_taken_back_before_its_deadline() {
    let mut node = node();
    open(&node, 1);
    node.set_state("b", AdminState::Up);
    node.drain_for("a", 600);
    node.change(|service| (service.backends[0].state, service.backends[0].drain_until) = (AdminState::Up, None));
    wait_sending(&mut node, 1200, &[(1, "a")]);
}

/// Two backends, and a third that can come and go; it starts in a minute.
fn ramping() -> Node {
    let mut node = Node::new(lb_userspace::model::Protocol::Tcp, &["a", "b"], 256);
    node.change(|service| service.slow_start = Duration::from_secs(60));
    node
}

/// The share of new flows that a backend gets, in hundredths.
fn percent(node: &Node, backend: &str) -> usize {
    let slot = node.slot(backend);
    100 * node.rows().iter().filter(|row| Some(row.current()) == slot).count() / node.rows().len()
}

#[test]
fn a_backend_that_is_added_starts_slowly() {
    let mut node = ramping();
    assert_eq!((node.weight("a"), node.weight("b"), node.is_ramping()), (100, 100, false), "they began together");
    node.add("c");
    let mut flows: Vec<(u32, String)> = (0..100).map(|flow| (flow, open(&node, flow))).collect();
    let mut seen = vec![(node.weight("c"), percent(&node, "c"))];
    for step in 1..=10 {
        assert!(node.is_ramping());
        node.tick(6);
        seen.push((node.weight("c"), percent(&node, "c")));
        for (flow, backend) in &flows {
            assert_eq!(data(&node, *flow), *backend, "step {step}");
        }
        flows.extend((0..10).map(|flow| (step * 100 + flow, open(&node, step * 100 + flow))));
    }
    assert_eq!(
        seen.iter().map(|(weight, _)| *weight).collect::<Vec<_>>(),
        [10, 19, 28, 37, 46, 55, 64, 73, 82, 91, 100]
    );
    assert!(seen.is_sorted() && (3..=5).contains(&seen[0].1) && (32..=34).contains(&seen[10].1), "{seen:?}");
    assert!(!node.is_ramping());
    node.tick(FLIP_S);
    for (flow, backend) in &flows {
        assert_eq!(data(&node, *flow), *backend);
    }
}

#[test]
fn a_backend_that_was_down_starts_slowly() {
    let mut node = ramping();
    node.set_health("a", Health::Gone);
    node.tick(100);
    assert_eq!((node.weight("a"), percent(&node, "b")), (0, 100));
    node.set_health("a", Health::Up);
    assert_eq!((node.weight("a"), node.weight("b")), (10, 100));
    node.tick(30);
    assert_eq!(node.weight("a"), 55);
    node.set_health("a", Health::Suspect);
    node.set_health("a", Health::Up);
    assert_eq!(node.weight("a"), 10, "anew");
}

/// Weights are relative: who is alone has all, and who come back together share alike.
#[test]
fn slow_starters_can_serve_alone() {
    let mut node = ramping();
    node.set_health("a", Health::Gone);
    node.set_health("b", Health::Gone);
    assert_eq!(node.packet(1, Kind::Syn), None);
    node.set_health("a", Health::Up);
    assert_eq!(percent(&node, "a"), 100);
    node.set_health("b", Health::Up);
    assert!((49..=51).contains(&percent(&node, "a")));
}

#[test]
fn what_a_daemon_finds_does_not_start_slowly() {
    let mut node = ramping();
    node.add("c");
    node.restart();
    assert_eq!((node.weight("a"), node.weight("c"), node.is_ramping()), (100, 100, false));
    // Not yet known to be up, and then found to be.
    node.set_health("c", Health::Gone);
    node.restart();
    assert_eq!((node.weight("c"), node.weight("a")), (0, 100));
    node.set_health("c", Health::Up);
    assert_eq!(node.weight("c"), 100);
}
