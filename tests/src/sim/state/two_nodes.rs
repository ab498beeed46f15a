//! A ring, and on each of two nodes a table of the flows that were used last: Katran's and Cilium's way.
//!
//! A small model: a router spreads flows over the nodes by hash, and hands those of a node that is down to the other; a packet
//! whose flow the node's table does not know goes where the row says, and is remembered; a full table forgets the flow that
//! was used least recently. How either product finds that flow, and what its table costs, is not modelled.

use std::collections::{HashMap, VecDeque};

use super::{
    chance::scramble,
    maglev::Stateless,
    operation::Operation,
    scheme::{Scheme, Server},
};
use crate::sim::Kind;

/// Two nodes.
pub(super) struct TwoNodes {
    ring: Stateless,
    nodes: [Recent; 2],
    is_second_up: bool,
}

impl TwoNodes {
    pub(super) fn new(entries: usize) -> Self {
        Self { ring: Stateless::new(), nodes: [Recent::new(entries), Recent::new(entries)], is_second_up: true }
    }
}

impl Scheme for TwoNodes {
    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::NodeDown => self.is_second_up = false,
            Operation::NodeUp => {
                self.nodes[1] = Recent::new(self.nodes[1].capacity);
                self.is_second_up = true;
            }
            _ => self.ring.operate(operation),
        }
    }

    fn second(&mut self) {}

    fn packet(&mut self, flow: u32, kind: Kind) -> Option<Server> {
        // Other bits than those of the row.
        let node = (scramble(flow.into()) & u64::from(self.is_second_up)) as usize;
        let known = self.nodes[node].find(flow).filter(|server| kind != Kind::Syn && self.ring.serves(*server));
        let server = known.or_else(|| self.ring.owner(flow))?;
        self.nodes[node].remember(flow, server);
        Some(server)
    }
}

/// The flows that were used last.
struct Recent {
    capacity: usize,
    /// With the number of the use.
    flows: HashMap<u32, (Server, u64)>,
    /// Uses, in their order; those that were not the flow's last mean nothing any more.
    uses: VecDeque<(u32, u64)>,
    next: u64,
}

impl Recent {
    fn new(capacity: usize) -> Self {
        Self { capacity, flows: HashMap::new(), uses: VecDeque::new(), next: 0 }
    }

    fn find(&self, flow: u32) -> Option<Server> {
        self.flows.get(&flow).map(|(server, _)| *server)
    }

    fn remember(&mut self, flow: u32, server: Server) {
        self.next += 1;
        self.flows.insert(flow, (server, self.next));
        self.uses.push_back((flow, self.next));
        while self.flows.len() > self.capacity {
            self.forget();
        }
        if self.uses.len() > 4 * self.capacity {
            let flows = &self.flows;
            self.uses.retain(|(flow, number)| flows.get(flow).is_some_and(|(_, last)| last == number));
        }
    }

    fn forget(&mut self) {
        let Some((flow, number)) = self.uses.pop_front() else { return };
        if self.flows.get(&flow).is_some_and(|(_, last)| *last == number) {
            self.flows.remove(&flow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flow_that_was_not_used_for_longest_is_forgotten() {
        let mut recent = Recent::new(3);
        for flow in [1, 2, 3, 1, 4] {
            recent.remember(flow, flow as Server + 10);
        }
        assert_eq!([1, 2, 3, 4].map(|flow| recent.find(flow)), [Some(11), None, Some(13), Some(14)]);
        for _ in 0..100 {
            recent.remember(1, 11);
        }
        assert!(recent.uses.len() <= 12);
        recent.remember(5, 15);
        assert_eq!([1, 3, 4, 5].map(|flow| recent.find(flow)), [Some(11), None, Some(14), Some(15)]);
    }
}
