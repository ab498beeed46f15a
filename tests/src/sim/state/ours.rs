//! The product's rules, by the product's code.

use lb_userspace::{
    model::{AdminState, Backend, Protocol},
    plan::{Health, Patience},
};

use super::{
    operation::{Operation, SERVERS},
    scheme::{Scheme, Server},
};
use crate::sim::{Kind, Node, operator};

/// How often the flow table is scanned. The daemon does it once a second; rows here move for a quarter of an hour or more.
const SCAN_S: u64 = 20;

/// One node.
pub(super) struct Ours {
    node: Node,
    has_suspects: bool,
    since_scan_s: u64,
}

impl Ours {
    pub(super) fn new(flip_s: u64, has_suspects: bool, sets: usize) -> Self {
        let mut node = Node::new(Protocol::Tcp, &[], sets);
        node.set_patience(Patience { roomy_s: flip_s, crowded_s: flip_s.min(900), ..Patience::default() });
        node.change(|service| {
            service.ring.bits = 12;
            service.backends = (0..SERVERS).map(|server| operator::backend(&name(server))).collect();
        });
        Self { node, has_suspects, since_scan_s: 0 }
    }
}

fn name(server: Server) -> String {
    format!("s{server}")
}

impl Scheme for Ours {
    fn operate(&mut self, operation: Operation) {
        let node = &mut self.node;
        match operation {
            Operation::Add(server) => node.add(&name(server)),
            Operation::Remove(server) => node.remove(&name(server)),
            Operation::Drain(server) => node.drain(&name(server)),
            Operation::Return(server) => node.set_state(&name(server), AdminState::Up),
            Operation::Weigh(server, percent) => node.weigh(&name(server), Backend::DEFAULT_WEIGHT * percent / 100),
            Operation::Suspect(server) if self.has_suspects => node.set_health(&name(server), Health::Suspect),
            Operation::Suspect(server) | Operation::Lose(server) => node.set_health(&name(server), Health::Gone),
            Operation::Trust(server) => node.set_health(&name(server), Health::Up),
            Operation::Die(_) | Operation::Revive(_) | Operation::NodeDown | Operation::NodeUp => {}
        }
    }

    fn second(&mut self) {
        self.since_scan_s += 1;
        if self.since_scan_s < SCAN_S {
            return self.node.pass(1);
        }
        self.node.tick(1);
        self.since_scan_s = 0;
    }

    fn packet(&mut self, flow: u32, kind: Kind) -> Option<Server> {
        self.node.packet(flow, kind)?.strip_prefix('s')?.parse().ok()
    }
}
