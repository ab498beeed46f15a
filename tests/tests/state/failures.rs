//! Backends that fail, or seem to.

use lb_common::RowState;
use lb_userspace::{model::AdminState, plan::Health};
use tests::sim::{Kind, Node};

use super::{FLIP_S, data, node, open, wait_sending, with_sets};

/// Two backends that are up, of which `a` is responsible for the rows of `flows`.
fn pair() -> (Node, Vec<u32>) {
    let mut node = node();
    node.set_state("b", AdminState::Up);
    node.wait(FLIP_S + 3);
    let flows = (0..200).filter(|&flow| node.name(node.row(flow).current()) == Some("a")).collect();
    (node, flows)
}

#[test]
fn a_backend_that_dies_and_returns() {
    let (mut node, flows) = pair();
    let [before, meanwhile, after] = flows[..3] else { panic!("too few flows") };
    assert_eq!(open(&node, before), "a");
    node.set_health("a", Health::Suspect);
    assert_eq!((data(&node, before).as_str(), data(&node, before).as_str()), ("a", "a"));
    node.set_health("a", Health::Gone);
    assert_eq!(data(&node, before), "b", "a new owner, who says that the connection is over");
    assert_eq!(open(&node, meanwhile), "b");
    node.tick(60);
    node.set_health("a", Health::Up);
    assert_eq!(data(&node, before), "b", "gone is gone: a has forgotten the connection");
    assert_eq!(open(&node, after), "a");
    wait_sending(&mut node, 2 * FLIP_S, &[(meanwhile, "b"), (after, "a")]);
}

#[test]
fn a_refused_check_ends_a_backend_at_once() {
    let (mut node, flows) = pair();
    open(&node, flows[0]);
    node.set_health("a", Health::Gone);
    assert_eq!(data(&node, flows[0]), "b");
    assert_eq!(node.row(flows[0]).state(), RowState::Settled, "nobody's history is worth keeping");
}

#[test]
fn a_false_alarm() {
    let (mut node, flows) = pair();
    let [busy, quiet, meanwhile] = flows[..3] else { panic!("too few flows") };
    open(&node, busy);
    open(&node, quiet);
    node.set_health("a", Health::Suspect);
    assert_eq!(open(&node, meanwhile), "b", "no new flows for a suspect");
    assert_eq!(data(&node, busy), "a");
    node.tick(20);
    assert_eq!(data(&node, busy), "a");
    node.set_health("a", Health::Up);
    let flows = [(busy, "a"), (quiet, "a"), (meanwhile, "b")];
    for (flow, backend) in flows {
        assert_eq!(data(&node, flow), backend);
    }
    wait_sending(&mut node, 2 * FLIP_S, &flows);
}

#[test]
fn everybody_is_suspect() {
    let mut node = node();
    open(&node, 1);
    node.set_health("a", Health::Suspect);
    assert_eq!(data(&node, 1), "a");
    assert_eq!(node.packet(2, Kind::Syn), None);
    node.set_health("a", Health::Up);
    assert_eq!((data(&node, 1), open(&node, 2)), ("a".to_owned(), "a".to_owned()));
}

/// Its flows get other backends, and their entries become those of the new ones.
#[test]
fn a_flow_whose_backend_has_gone_keeps_its_place() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    open(&node, 2);
    open(&node, 3);
    node.hand_to("c");
    node.set_health("b", Health::Gone);
    assert_eq!((data(&node, 2).as_str(), data(&node, 2).as_str()), ("a", "a"));
    assert_eq!(open(&node, 3), "c");
    assert_eq!(node.entries(), 2);
    assert!([2, 3].iter().all(|&flow| node.entry(flow).is_some_and(lb_common::Entry::is_confirmed)));
}

/// A new flow must not be left to a backend that may be dead, not even for want of room.
#[test]
fn a_new_flow_beside_a_suspect_takes_the_oldest_place() {
    let mut node = with_sets(1);
    (0..8).for_each(|flow| drop(open(&node, flow)));
    node.hand_to("b");
    for flow in 0..8 {
        node.tick(1);
        data(&node, flow);
        data(&node, flow);
    }
    assert_eq!(open(&node, 100), "a", "no room: the answer without state");
    node.set_health("a", Health::Suspect);
    assert_eq!(open(&node, 101), "b");
    assert_eq!(node.entry(0), None, "the one that was not heard of for the longest time made room");
    assert!((1..8).all(|flow| node.entry(flow).is_some()));
    assert_eq!(data(&node, 0), "a", "and needs no entry");
}

#[test]
fn a_disabled_backend_is_gone() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    data(&node, 1);
    node.set_state("a", AdminState::Disabled);
    assert_eq!(data(&node, 1), "b");
    assert_eq!(node.rows_in(RowState::Moving), 0);
}
