//! Datagrams, of which none says that it opens a flow.

use lb_common::RowState;
use lb_userspace::model::Protocol;
use tests::sim::{Kind, Node};

/// How long a row of a UDP service moves: a flow that is idle for longer is over.
const IDLE_S: u64 = 30;

fn node() -> Node {
    let mut node = Node::new(Protocol::Udp, &["a"], 256);
    node.add_draining("b");
    node
}

fn datagram(node: &Node, flow: u32) -> &str {
    node.packet(flow, Kind::Datagram).expect("a backend")
}

#[test]
fn datagrams_of_a_flow_stay_together() {
    let mut node = node();
    assert_eq!((datagram(&node, 1), datagram(&node, 2)), ("a", "a"));
    node.hand_to("b");
    // Nobody can tell whether this flow is older than the change; it is taken to be.
    assert_eq!(datagram(&node, 3), "a");
    for _ in 0..20 {
        node.tick(IDLE_S / 2);
        assert_eq!((datagram(&node, 1), datagram(&node, 3)), ("a", "a"));
    }
    assert_eq!(node.row(1).state(), RowState::Lookup);
    assert_eq!(datagram(&node, 2), "b", "a flow that was idle for half a minute is a new one");
    assert_eq!(datagram(&node, 4), "b");
    node.hand_to("a");
    for _ in 0..20 {
        node.tick(IDLE_S / 2);
        assert_eq!((datagram(&node, 1), datagram(&node, 2), datagram(&node, 4)), ("a", "b", "b"));
    }
}

#[test]
fn a_row_of_datagrams_flips_after_half_a_minute() {
    let mut node = node();
    node.hand_to("b");
    node.wait(IDLE_S - 1);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len());
    node.wait(1);
    assert_eq!(node.rows_in(RowState::Moving), 0);
    node.wait(3);
    assert_eq!(node.rows_in(RowState::Settled), node.rows().len());
}
