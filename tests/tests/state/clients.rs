//! Services that tell flows apart by client.

use std::time::Duration;

use lb_common::RowState;
use lb_userspace::{
    model::{AdminState, Affinity, Clients},
    plan::Health,
};
use tests::sim::{FLOWS_PER_CLIENT, Kind, Node};

/// For how long silent clients are remembered.
const TIMEOUT_S: u64 = 600;

/// The flow of a client's n-th port.
const fn of(client: u32, port: u32) -> u32 {
    client * FLOWS_PER_CLIENT + port
}

/// Three backends, of which `a` has all clients.
fn node() -> Node {
    let mut node = super::node();
    let timeout = Duration::from_secs(TIMEOUT_S);
    node.change(|service| service.affinity = Affinity::Client(Clients { bits: 128, timeout }));
    node
}

fn send(node: &Node, flow: u32, kind: Kind) -> &str {
    node.packet(flow, kind).expect("a backend")
}

#[test]
fn a_client_that_is_known_stays_through_a_drain_with_all_its_connections() {
    let mut node = node();
    assert_eq!(send(&node, of(1, 0), Kind::Syn), "a");
    node.hand_to("b");
    for round in 0..40 {
        // Each connection is another, and ends.
        for kind in [Kind::Syn, Kind::Data, if round % 2 == 0 { Kind::Fin } else { Kind::Rst }] {
            assert_eq!(send(&node, of(1, round), kind), "a", "round {round}, {kind:?}");
        }
        node.tick(TIMEOUT_S / 2);
    }
    assert_eq!(node.row(of(1, 0)).state(), RowState::Lookup, "a drain lasts for as long as its clients");
}

/// Nobody can tell a new client from one that has been silent.
#[test]
fn a_client_that_is_not_known_is_taken_for_an_old_one_until_the_timeout() {
    let mut node = node();
    node.hand_to("b");
    assert_eq!(send(&node, of(1, 0), Kind::Syn), "a");
    node.wait(TIMEOUT_S - 1);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len());
    node.wait(1);
    assert_eq!(node.rows_in(RowState::Moving), 0);
    assert_eq!(send(&node, of(2, 0), Kind::Syn), "b");
    assert_eq!(send(&node, of(1, 1), Kind::Syn), "a", "it has spoken within the timeout");
    node.wait(TIMEOUT_S + 1);
    assert_eq!(send(&node, of(1, 2), Kind::Syn), "b", "and is a new one when it has not");
    node.wait(3);
    assert_eq!(node.rows_in(RowState::Settled), node.rows().len());
}

#[test]
fn a_client_whose_backend_is_gone_gets_another_and_keeps_that() {
    let mut node = node();
    send(&node, of(1, 0), Kind::Syn);
    send(&node, of(2, 0), Kind::Syn);
    node.hand_to("b");
    send(&node, of(1, 0), Kind::Data);
    send(&node, of(1, 0), Kind::Data);
    node.remove("a");
    assert_eq!((send(&node, of(1, 1), Kind::Syn), send(&node, of(2, 1), Kind::Data)), ("b", "b"));
    node.hand_to("c");
    assert_eq!((send(&node, of(1, 2), Kind::Syn), send(&node, of(2, 2), Kind::Syn)), ("b", "b"));
}

#[test]
fn a_false_alarm_moves_no_client() {
    let mut node = node();
    node.set_state("b", AdminState::Up);
    node.wait(TIMEOUT_S + 3);
    let client = (0..).find(|&client| node.name(node.row(of(client, 0)).current()) == Some("a")).unwrap();
    assert_eq!(send(&node, of(client, 0), Kind::Syn), "a");
    node.set_health("a", Health::Suspect);
    assert_eq!(send(&node, of(client, 1), Kind::Syn), "a", "known or not, it is not a new client");
    node.set_health("a", Health::Up);
    assert_eq!(send(&node, of(client, 2), Kind::Syn), "a");
    node.set_health("a", Health::Gone);
    assert_eq!(send(&node, of(client, 3), Kind::Syn), "b");
}

#[test]
fn all_connections_of_a_client_are_on_one_backend() {
    let mut node = super::node();
    node.set_state("b", AdminState::Up);
    node.change(|service| {
        service.affinity = Affinity::Client(Clients { bits: 128, timeout: Duration::from_secs(600) });
    });
    node.wait(TIMEOUT_S + 3);
    for client in 0..20 {
        let backend = send(&node, of(client, 0), Kind::Syn);
        assert!((1..20).all(|port| send(&node, of(client, port), Kind::Syn) == backend), "client {client}");
    }
}

/// Between two scans nobody has removed the entries of the backend that was gone.
#[test]
fn a_backend_that_is_gone_for_a_moment_gets_no_client_back() {
    let mut node = node();
    node.hand_to("b");
    assert_eq!(send(&node, of(1, 0), Kind::Syn), "a");
    node.set_health("a", Health::Gone);
    assert_eq!((send(&node, of(1, 0), Kind::Data), node.row(of(1, 0)).state()), ("b", RowState::Lookup));
    node.set_health("a", Health::Up);
    assert_eq!(send(&node, of(1, 1), Kind::Data), "b");
}
