//! A ring without state.

use std::collections::BTreeMap;

use lb_userspace::{
    model::{Backend, RingAlgorithm, RingSettings},
    ring::{self, Member},
};

use super::{
    chance::scramble,
    operation::{Operation, SERVERS},
    scheme::{Scheme, Server},
};
use crate::sim::Kind;

const SETTINGS: RingSettings =
    RingSettings { bits: 12, algorithm: RingAlgorithm::Maglev, tolerance_permille: 0, seed: None };

/// What is known of a server.
#[derive(Clone, Copy, Debug)]
struct Standing {
    percent: u32,
    is_drained: bool,
    is_suspect: bool,
    is_lost: bool,
}

/// Every packet goes where its flow's row says.
#[derive(Debug)]
pub(super) struct Stateless {
    servers: BTreeMap<Server, Standing>,
    owners: Vec<Option<Server>>,
}

impl Stateless {
    pub(super) fn new() -> Self {
        let mut ring = Self { servers: BTreeMap::new(), owners: Vec::new() };
        (0..SERVERS).for_each(|server| ring.add(server));
        ring.build();
        ring
    }

    /// The owner of the flow's row.
    pub(super) fn owner(&self, flow: u32) -> Option<Server> {
        self.owners[(scramble(flow.into()) >> (64 - SETTINGS.bits)) as usize]
    }

    /// Whether a server may be given packets of flows that it has.
    pub(super) fn serves(&self, server: Server) -> bool {
        self.servers.get(&server).is_some_and(|standing| !standing.is_lost)
    }

    fn add(&mut self, server: Server) {
        let standing = Standing { percent: 100, is_drained: false, is_suspect: false, is_lost: false };
        self.servers.insert(server, standing);
    }

    fn build(&mut self) {
        let member = |(&server, standing): (&Server, &Standing)| {
            let is_out = standing.is_drained || standing.is_suspect || standing.is_lost;
            let weight = if is_out { 0 } else { Backend::DEFAULT_WEIGHT * standing.percent / 100 };
            (server, Member { id: ring::identity(&format!("s{server}")), weight })
        };
        let (servers, members): (Vec<Server>, Vec<Member>) = self.servers.iter().map(member).unzip();
        let owners = ring::build(&SETTINGS, 1, &members);
        self.owners = owners.into_iter().map(|owner| owner.map(|index| servers[usize::from(index)])).collect();
    }

    fn edit(&mut self, server: Server, edit: impl FnOnce(&mut Standing)) {
        edit(self.servers.get_mut(&server).expect("a server of the schedule"));
    }
}

impl Scheme for Stateless {
    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Add(server) => self.add(server),
            Operation::Remove(server) => drop(self.servers.remove(&server)),
            Operation::Drain(server) => self.edit(server, |standing| standing.is_drained = true),
            Operation::Return(server) => self.edit(server, |standing| standing.is_drained = false),
            Operation::Weigh(server, percent) => self.edit(server, |standing| standing.percent = percent),
            Operation::Suspect(server) => self.edit(server, |standing| standing.is_suspect = true),
            Operation::Lose(server) => self.edit(server, |standing| standing.is_lost = true),
            Operation::Trust(server) => {
                self.edit(server, |standing| (standing.is_suspect, standing.is_lost) = (false, false));
            }
            Operation::Die(_) | Operation::Revive(_) | Operation::NodeDown | Operation::NodeUp => return,
        }
        self.build();
    }

    fn second(&mut self) {}

    fn packet(&mut self, flow: u32, _: Kind) -> Option<Server> {
        self.owner(flow)
    }
}
