//! One run: connections that come and go, what happens meanwhile, and who is left broken.

use std::collections::{BTreeMap, BinaryHeap};

use serde::Serialize;

use super::{
    chance::Chance,
    connection::{Connection, Habit},
    operation::{Operation, Schedule},
    scheme::{Rules, Scheme, Server},
};
use crate::sim::Kind;

/// Strangers' packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flood {
    /// What each of them sends.
    pub(super) kinds: &'static [Kind],
    /// The first second.
    pub(super) from_s: u64,
    /// The second after the last.
    pub(super) until_s: u64,
    /// How many strangers a second.
    pub(super) per_second: u32,
}

/// The first of the numbers that strangers' flows have.
const STRANGERS: u32 = 1 << 31;

/// What happens, whatever steers the packets.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) seed: u64,
    /// Connections a second, on average.
    pub(super) rate: f64,
    /// Connections are opened until this second.
    pub(super) arrivals_s: u64,
    pub(super) schedule: Schedule,
    pub(super) flood: Option<Flood>,
}

/// What became of the connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How many were opened.
    pub connections: u64,
    /// How many of them broke although their server was alive.
    pub broken: u64,
    /// How many were idle ones.
    pub idle: u64,
    /// How many of those broke.
    pub idle_broken: u64,
}

impl Outcome {
    /// Of all connections.
    pub fn broken_percent(&self) -> f64 {
        self.broken as f64 * 100.0 / self.connections.max(1) as f64
    }

    /// Of the idle ones.
    pub fn idle_broken_percent(&self) -> f64 {
        self.idle_broken as f64 * 100.0 / self.idle.max(1) as f64
    }
}

/// A server, and how often it has died or been taken away; connections that are older died with it.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    deaths: u32,
    is_dead: bool,
}

/// A run under way.
struct World {
    scheme: Box<dyn Scheme>,
    lives: BTreeMap<Server, Life>,
    /// Those that are open, the next to speak first; with the number of deaths of their server when they were opened.
    open: BinaryHeap<(Connection, u32)>,
    outcome: Outcome,
}

/// Lets a workload happen to some rules.
pub(super) fn run(workload: &Workload, rules: Rules) -> Outcome {
    let outcome = Outcome::default();
    let mut world = World { scheme: rules.scheme(), lives: BTreeMap::new(), open: BinaryHeap::new(), outcome };
    let mut arrivals = Chance::of(workload.seed, u64::MAX - 1);
    let mut schedule = workload.schedule.iter().peekable();
    let (mut arrival_s, mut flow, mut stranger) = (arrivals.wait(1.0 / workload.rate), 0, STRANGERS);
    let mut second = 0;
    while second < workload.arrivals_s || !world.open.is_empty() {
        while let Some((_, operation)) = schedule.next_if(|(at_s, _)| *at_s <= second) {
            world.operate(*operation);
        }
        if let Some(flood) = workload.flood.filter(|flood| (flood.from_s..flood.until_s).contains(&second)) {
            for _ in 0..flood.per_second {
                for &kind in flood.kinds {
                    world.scheme.packet(stranger, kind);
                }
                stranger += 1;
            }
        }
        second += 1;
        while arrival_s < second.min(workload.arrivals_s) as f64 {
            world.open.push((Connection::new(workload.seed, flow, arrival_s), 0));
            flow += 1;
            arrival_s += arrivals.wait(1.0 / workload.rate);
        }
        world.speak_until(second as f64);
        world.scheme.second();
    }
    world.outcome
}

impl World {
    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Die(server) | Operation::Remove(server) => {
                let life = self.lives.entry(server).or_default();
                life.deaths += 1;
                life.is_dead = true;
            }
            Operation::Revive(server) | Operation::Add(server) => {
                self.lives.entry(server).or_default().is_dead = false;
            }
            _ => {}
        }
        self.scheme.operate(operation);
    }

    fn speak_until(&mut self, end_s: f64) {
        while let Some((connection, deaths)) = self.next_before(end_s) {
            let server = self.scheme.packet(connection.flow, connection.kind);
            if connection.kind == Kind::Syn {
                self.opened(connection, server);
            } else {
                self.spoke(connection, deaths, server);
            }
        }
    }

    fn next_before(&mut self, end_s: f64) -> Option<(Connection, u32)> {
        self.open.peek().filter(|next| next.0.at_s < end_s)?;
        self.open.pop()
    }

    /// A connection's first packet has gone to a server.
    fn opened(&mut self, mut connection: Connection, server: Option<Server>) {
        self.outcome.connections += 1;
        self.outcome.idle += u64::from(is_idle(&connection));
        let Some(life) = server.map(|server| self.life(server)) else { return };
        connection.server = server;
        if !life.is_dead {
            self.open.extend(connection.next().map(|next| (next, life.deaths)));
        }
    }

    /// A later packet has gone to a server; if it is not the connection's own, the connection is over.
    fn spoke(&mut self, connection: Connection, deaths: u32, server: Option<Server>) {
        let Some(own) = connection.server else { return };
        if self.life(own).deaths != deaths {
            return;
        }
        if server == Some(own) {
            self.open.extend(connection.next().map(|next| (next, deaths)));
        } else {
            self.outcome.broken += 1;
            self.outcome.idle_broken += u64::from(is_idle(&connection));
        }
    }

    fn life(&self, server: Server) -> Life {
        self.lives.get(&server).copied().unwrap_or_default()
    }
}

fn is_idle(connection: &Connection) -> bool {
    matches!(connection.habit, Habit::Idle | Habit::Silent)
}
