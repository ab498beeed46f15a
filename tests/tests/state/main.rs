//! Just enough state: connections across every change, one node at a time.
//!
//! A node of [`tests::sim`] is the product's planner, scan and steering without a kernel. The cases are named after what
//! happens to a connection; [`random`] lets everything happen to many.

mod afresh;
mod changes;
mod clients;
mod failures;
mod floods;
mod ramps;
mod random;
mod restarts;
mod scans;
mod tracking;
mod udp;

use lb_userspace::model::Protocol;
use tests::sim::{Kind, Node};

/// How long a row moves while the flow table has room.
const FLIP_S: u64 = 3600;

/// Three backends, of which `a` has all flows; every row does the same.
fn node() -> Node {
    with_sets(256)
}

fn with_sets(sets: usize) -> Node {
    let mut node = Node::new(Protocol::Tcp, &["a"], sets);
    node.add_draining("b");
    node.add_draining("c");
    node
}

/// Opens a connection; the backend that it is on.
fn open(node: &Node, flow: u32) -> String {
    let backend = node.packet(flow, Kind::Syn).expect("a backend").to_owned();
    assert_eq!(data(node, flow), backend, "the handshake of flow {flow} meets two backends");
    backend
}

/// Sends a packet of a connection that is open; the backend that it goes to.
fn data(node: &Node, flow: u32) -> String {
    node.packet(flow, Kind::Data).expect("a backend").to_owned()
}

/// Lets time pass while flows send a packet every minute; they must stay on their backend.
fn wait_sending(node: &mut Node, seconds: u64, flows: &[(u32, &str)]) {
    for _ in 0..seconds / 60 {
        node.tick(60);
        for (flow, backend) in flows {
            assert_eq!(data(node, *flow), *backend, "flow {flow} has moved");
        }
    }
}
