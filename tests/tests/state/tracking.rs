//! `track`: all flows remembered, or none.

use lb_common::RowState;
use lb_userspace::model::{AdminState, Protocol, Track};
use tests::sim::{Kind, Node};

use super::{FLIP_S, data, node, open, wait_sending};

fn tracked() -> Node {
    let mut node = node();
    node.change(|service| service.track = Track::Always);
    node
}

fn untracked() -> Node {
    let mut node = node();
    node.change(|service| service.track = Track::Never);
    node
}

#[test]
fn a_tracked_flow_is_remembered_from_its_first_packet() {
    let mut node = tracked();
    assert_eq!(node.packet(1, Kind::Syn), Some("a"));
    assert!(node.entry(1).is_some());
    open(&node, 2);
    for _ in 0..10 {
        node.tick(FLIP_S);
        assert_eq!(data(&node, 2), "a");
    }
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len(), "rows do not settle");
}

/// What the rules for rows cannot promise: nobody has heard of the flow while its row moved.
#[test]
fn a_tracked_flow_may_be_silent_for_longer_than_rows_move() {
    let mut node = tracked();
    open(&node, 1);
    node.hand_to("b");
    node.wait(FLIP_S + 1);
    assert_eq!((data(&node, 1).as_str(), open(&node, 2).as_str()), ("a", "b"));
    node.hand_to("c");
    node.wait(2 * FLIP_S - 1);
    assert_eq!((data(&node, 1).as_str(), data(&node, 2).as_str(), open(&node, 3).as_str()), ("a", "b", "c"));
    node.wait(7201);
    assert_eq!(data(&node, 1), "c", "two hours are the limit");
}

/// A flow that found no room is an old one, for as long as rows move.
#[test]
fn a_tracked_flow_without_a_place_is_kept_as_others_are() {
    let mut node = super::with_sets(1);
    node.change(|service| service.track = Track::Always);
    (0..9).for_each(|flow| drop(open(&node, flow)));
    node.tick(1);
    assert!(node.entry(8).is_none() && !node.census().overflowed_s.is_empty());
    node.hand_to("b");
    assert_eq!(data(&node, 8), "a");
    wait_sending(&mut node, 2 * FLIP_S, &[(0, "a"), (8, "a")]);
}

#[test]
fn tracked_datagrams_are_remembered() {
    let mut node = Node::new(Protocol::Udp, &["a"], 256);
    node.change(|service| service.track = Track::Always);
    assert_eq!((node.packet(1, Kind::Datagram), node.packet(1, Kind::Datagram)), (Some("a"), Some("a")));
    node.tick(29);
    assert!(node.entry(1).is_some());
    node.tick(2);
    assert!(node.entry(1).is_none(), "a flow of datagrams is over after half a minute");
}

#[test]
fn tracking_begins_and_ends_without_moving_a_flow() {
    let mut node = node();
    open(&node, 1);
    node.change(|service| service.track = Track::Always);
    open(&node, 2);
    data(&node, 1);
    data(&node, 1);
    node.hand_to("b");
    node.wait(FLIP_S + 1);
    assert_eq!((data(&node, 1).as_str(), data(&node, 2).as_str()), ("a", "a"));
    node.change(|service| service.track = Track::Changes);
    wait_sending(&mut node, FLIP_S, &[(1, "a"), (2, "a")]);
    assert_eq!((node.packet(1, Kind::Fin), node.packet(2, Kind::Rst)), (Some("a"), Some("a")));
    node.tick(31);
    node.tick(2);
    assert_eq!((node.rows_in(RowState::Settled), node.entries()), (node.rows().len(), 0));
}

#[test]
fn an_untracked_service_keeps_nothing() {
    let mut node = untracked();
    open(&node, 1);
    node.hand_to("b");
    assert_eq!((data(&node, 1).as_str(), node.entries()), ("b", 0));
    assert_eq!(node.rows_in(RowState::Settled), node.rows().len());
    node.set_state("a", AdminState::Up);
    for flow in 0..100 {
        assert_eq!(Some(data(&node, flow).as_str()), node.name(node.row(flow).current()), "the ring alone decides");
    }
    assert_eq!((node.entries(), node.rows_in(RowState::Settled)), (0, node.rows().len()));
}

/// Entries of a service that is no longer tracked would be taken for the truth if it were tracked again.
#[test]
fn what_was_remembered_is_forgotten_when_nobody_is_to_be() {
    let mut node = tracked();
    (0..50).for_each(|flow| drop(open(&node, flow)));
    node.change(|service| service.track = Track::Never);
    assert!(node.has_retired() && node.entries() == 50);
    node.tick(2);
    assert!(!node.has_retired() && node.entries() == 0);
}
