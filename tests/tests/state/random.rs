//! Anything in any order: a flow whose backend can still serve never moves.
//!
//! The reference is simple. It knows for each flow which backend answered its SYN, and forgets a flow when its backend
//! is gone, when the client ends it, or when it has been silent for longer than the rules promise to remember. All other
//! flows must be where they were, always; and once everybody has left, nothing may be left of them.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lb_common::{Entry, RowState, UNCONFIRMED_SECONDS};
use lb_userspace::{
    model::{AdminState, Affinity, Clients, Protocol, Track},
    plan::Health,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use tests::sim::{FLOWS_PER_CLIENT, Kind, Node};

/// The backends that there may be.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// How many flows there may be.
const FLOWS: u32 = 60;

/// A kind of service, and what it promises.
#[derive(Clone, Copy)]
struct Mode {
    protocol: Protocol,
    affinity: Affinity,
    track: Track,
    /// Nobody may be silent for longer.
    silence_s: u64,
}

/// Connections. The shortest time of a flip is a quarter of an hour.
const CONNECTIONS: Mode =
    Mode { protocol: Protocol::Tcp, affinity: Affinity::Flow, track: Track::Changes, silence_s: 800 };

/// Connections that are all remembered: for two hours, whatever happens to rows.
const TRACKED: Mode = Mode { track: Track::Always, silence_s: 7000, ..CONNECTIONS };

/// Datagrams.
const DATAGRAMS: Mode = Mode { protocol: Protocol::Udp, silence_s: 28, ..CONNECTIONS };

/// Datagrams that are all remembered.
const TRACKED_DATAGRAMS: Mode = Mode { track: Track::Always, ..DATAGRAMS };

/// Clients that are remembered for ten minutes, with all the connections that they open and close.
const CLIENTS: Mode = Mode {
    affinity: Affinity::Client(Clients { bits: 128, timeout: Duration::from_secs(600) }),
    silence_s: 580,
    ..CONNECTIONS
};

/// Clients of a service, all remembered.
const TRACKED_CLIENTS: Mode = Mode {
    affinity: Affinity::ClientService(Clients { bits: 128, timeout: Duration::from_secs(600) }),
    track: Track::Always,
    ..CLIENTS
};

impl Mode {
    /// Whether a packet can say that a flow begins or ends.
    fn has_bounds(self) -> bool {
        self.protocol == Protocol::Tcp && self.affinity == Affinity::Flow
    }

    fn kind(self, kind: Kind) -> Kind {
        if self.protocol == Protocol::Udp { Kind::Datagram } else { kind }
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A client sends a SYN, and answers what comes back after some seconds.
    Open { flow: u32, pause_s: u64 },
    /// Clients send a SYN each, and answer at once.
    OpenMany { first: u32 },
    /// A client sends a packet.
    Data { flow: u32 },
    /// A client ends its connection.
    Close { flow: u32, kind: Kind },
    /// The operator adds a backend, or removes it if it is there.
    Toggle { backend: usize },
    /// The operator wants something else of a backend.
    SetState { backend: usize, state: AdminState },
    /// The operator changes a weight.
    Weigh { backend: usize, weight: u32 },
    /// The checks say something else.
    Check { backend: usize, health: Health },
    /// The ring is made larger.
    Grow,
    /// Another daemon takes over.
    Restart,
    /// Time passes. Half of the clients speak every few minutes.
    Wait { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flow = || 0..FLOWS;
    let backend = || 0..NAMES.len();
    let kind = prop_oneof![Just(Kind::Fin), Just(Kind::Rst)];
    let state = prop_oneof![Just(AdminState::Up), Just(AdminState::Drain), Just(AdminState::Disabled)];
    let health = prop_oneof![3 => Just(Health::Up), 2 => Just(Health::Suspect), 1 => Just(Health::Gone)];
    let seconds = prop_oneof![4 => 0u64..4, 3 => 4u64..120, 2 => 600u64..4000, 1 => 4000u64..40_000];
    let step = prop_oneof![
        6 => (flow(), 0u64..6).prop_map(|(flow, pause_s)| Step::Open { flow, pause_s }),
        6 => flow().prop_map(|first| Step::OpenMany { first }),
        8 => flow().prop_map(|flow| Step::Data { flow }),
        2 => (flow(), kind).prop_map(|(flow, kind)| Step::Close { flow, kind }),
        2 => backend().prop_map(|backend| Step::Toggle { backend }),
        5 => (backend(), state).prop_map(|(backend, state)| Step::SetState { backend, state }),
        3 => (backend(), 0u32..300).prop_map(|(backend, weight)| Step::Weigh { backend, weight }),
        3 => (backend(), health).prop_map(|(backend, health)| Step::Check { backend, health }),
        1 => Just(Step::Grow),
        1 => Just(Step::Restart),
        6 => seconds.prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, 1..80)
}

/// What is known of a flow that is open.
#[derive(Clone, Debug)]
struct Known {
    backend: &'static str,
    seen_s: u64,
}

/// What is known of a backend that there is.
#[derive(Clone, Copy, Debug)]
struct Duty {
    state: AdminState,
    health: Health,
}

impl Duty {
    fn serves(self) -> bool {
        self.state != AdminState::Disabled && self.health != Health::Gone
    }
}

/// A node, and what must be true of it.
struct Reference {
    mode: Mode,
    node: Node,
    backends: BTreeMap<&'static str, Duty>,
    flows: BTreeMap<u32, Known>,
    /// Whether the flow table has room for every flow.
    is_roomy: bool,
    /// Flows that the rules cannot keep because there was no room to remember them; empty if there is room.
    excused: BTreeSet<u32>,
    tally: Tally,
}

impl Reference {
    fn new(mode: Mode, sets: usize, is_roomy: bool) -> Self {
        let backends = NAMES[..2].iter().map(|&name| (name, Duty { state: AdminState::Up, health: Health::Up }));
        let mut node = Node::new(mode.protocol, &NAMES[..2], sets);
        node.change(|service| (service.affinity, service.track) = (mode.affinity, mode.track));
        Self {
            mode,
            node,
            backends: backends.collect(),
            flows: BTreeMap::new(),
            is_roomy,
            excused: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Open { flow, pause_s } => {
                self.syn(flow)?;
                // Without room, an answer is waited for only so long.
                self.wait(if self.is_roomy { pause_s } else { pause_s.min(UNCONFIRMED_SECONDS.into()) })?;
                self.data(flow)?;
            }
            Step::OpenMany { first } => {
                for flow in (first..FLOWS).step_by(4) {
                    self.syn(flow)?;
                    self.data(flow)?;
                }
            }
            Step::Data { flow } => self.data(flow)?,
            Step::Close { flow, kind } => {
                self.check(flow, kind)?;
                if self.mode.has_bounds() {
                    self.flows.remove(&flow);
                }
            }
            Step::Toggle { backend } => self.toggle(NAMES[backend]),
            Step::SetState { backend, state } => {
                if let Some(duty) = self.backends.get_mut(NAMES[backend]) {
                    duty.state = state;
                    self.node.set_state(NAMES[backend], state);
                }
            }
            Step::Weigh { backend, weight } => {
                if self.backends.contains_key(NAMES[backend]) {
                    self.node.weigh(NAMES[backend], weight);
                }
            }
            Step::Check { backend, health } => {
                // Without room, a new flow beside a suspect takes the place of another.
                let health = if self.is_roomy || health != Health::Suspect { health } else { Health::Starting };
                if let Some(duty) = self.backends.get_mut(NAMES[backend]) {
                    duty.health = health;
                    self.node.set_health(NAMES[backend], health);
                }
            }
            Step::Grow => {
                self.node.change(|service| service.ring.bits = (service.ring.bits + 1).min(12));
            }
            Step::Restart => {
                self.node.restart();
                for (name, duty) in &self.backends {
                    self.node.set_health(name, duty.health);
                }
            }
            // Where little is promised, time passes in smaller steps.
            Step::Wait { seconds } => {
                self.wait((seconds * self.mode.silence_s.min(CONNECTIONS.silence_s)).div_ceil(CONNECTIONS.silence_s))?;
            }
        }
        self.forget();
        Ok(())
    }

    /// A SYN may go anywhere; where it goes, the flow stays. Where it does not begin a flow, that may only be said of the
    /// first packet.
    fn syn(&mut self, flow: u32) -> Result<(), TestCaseError> {
        if !self.mode.has_bounds() && self.flows.contains_key(&flow) {
            return self.check(flow, Kind::Syn);
        }
        self.flows.remove(&flow);
        self.excused.remove(&flow);
        self.tally.opened += 1;
        let found = self.node.packet(self.number(flow), self.mode.kind(Kind::Syn));
        let backend = found.map(|name| *NAMES.iter().find(|known| **known == name).unwrap());
        let seen_s = self.node.now_s();
        self.flows.extend(backend.map(|backend| (flow, Known { backend, seen_s })));
        Ok(())
    }

    /// The number that the node's clients have for a flow: if flows are clients, each is another client.
    fn number(&self, flow: u32) -> u32 {
        if self.mode.affinity == Affinity::Flow { flow } else { flow * FLOWS_PER_CLIENT }
    }

    fn data(&mut self, flow: u32) -> Result<(), TestCaseError> {
        self.check(flow, Kind::Data)
    }

    /// Sends a packet of a flow, which must go where the flow is.
    fn check(&mut self, flow: u32, kind: Kind) -> Result<(), TestCaseError> {
        let (now_s, number) = (self.node.now_s(), self.number(flow));
        let Some(known) = self.flows.get_mut(&flow) else {
            // A stranger's packet; it may not do harm to others.
            let _ = self.node.packet(self.number(flow), self.mode.kind(kind));
            return Ok(());
        };
        known.seen_s = now_s;
        let (row, entry) = (self.node.row(number), self.node.entry(number));
        let found = self.node.packet(number, self.mode.kind(kind));
        if found == Some(known.backend) {
            return Ok(());
        }
        prop_assert!(
            self.excused.contains(&flow),
            "flow {flow} was on {} and went to {found:?}: {row:?}, {entry:?}",
            known.backend
        );
        self.tally.moved += 1;
        self.flows.remove(&flow);
        Ok(())
    }

    fn toggle(&mut self, name: &'static str) {
        if self.backends.remove(name).is_some() {
            self.node.remove(name);
        } else {
            let duty = Duty { state: AdminState::Up, health: Health::Up };
            self.backends.insert(name, duty);
            self.node.add(name);
            self.node.set_health(name, duty.health);
        }
    }

    /// Lets time pass. Flows with even numbers are not silent for too long.
    fn wait(&mut self, seconds: u64) -> Result<(), TestCaseError> {
        let mut left = seconds;
        while left > 0 {
            let pause_s = left.min(self.mode.silence_s / 2);
            left -= pause_s;
            self.tick(pause_s);
            self.forget();
            let talkative: Vec<u32> = self.flows.keys().copied().filter(|flow| flow % 2 == 0).collect();
            for flow in talkative {
                if left > 0 {
                    self.data(flow)?;
                }
            }
        }
        Ok(())
    }

    /// Lets time pass. Without room, those flows are excused whose row flips while there is no safe entry of them.
    fn tick(&mut self, seconds: u64) {
        let moving = |node: &Node, flow| node.row(flow).state() == RowState::Moving;
        let before: Vec<u32> = self.flows.keys().copied().filter(|&flow| moving(&self.node, flow)).collect();
        self.node.tick(seconds);
        if !self.is_roomy {
            let is_safe = |flow| self.node.entry(flow).is_some_and(Entry::is_confirmed);
            let at_risk = before.into_iter().filter(|&flow| !moving(&self.node, flow) && !is_safe(flow));
            let at_risk: Vec<u32> = at_risk.collect();
            self.tally.excused += at_risk.len();
            self.excused.extend(at_risk);
        }
    }

    /// Forgets the flows that nothing is promised to.
    fn forget(&mut self) {
        let (now_s, backends, silence_s) = (self.node.now_s(), &self.backends, self.mode.silence_s);
        self.flows.retain(|_, known| {
            backends.get(known.backend).is_some_and(|duty| duty.serves()) && now_s - known.seen_s <= silence_s
        });
    }

    /// Everybody leaves: nothing is left.
    fn end(&mut self) -> Result<(), TestCaseError> {
        for flow in 0..FLOWS {
            let _ = self.node.packet(self.number(flow), self.mode.kind(Kind::Rst));
        }
        for _ in 0..5 {
            self.node.tick(3601);
        }
        prop_assert_eq!(self.node.entries(), 0);
        let rest = if self.mode.track == Track::Always { RowState::Moving } else { RowState::Settled };
        prop_assert_eq!(self.node.rows_in(rest), self.node.rows().len());
        prop_assert!(self.node.rows().iter().all(|row| row.default() == row.current()));
        prop_assert!(!self.node.has_retired());
        Ok(())
    }
}

/// How many connections were opened, how many were excused, and how many of those have moved.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    opened: usize,
    excused: usize,
    moved: usize,
}

/// Plays schedules on nodes with so many sets.
fn play(mode: Mode, cases: u32, sets: usize, is_roomy: bool) -> Tally {
    // The same schedules in every run: a test that fails today failed yesterday.
    let config = Config { cases, rng_seed: RngSeed::Fixed(0x51_1ce), failure_persistence: None, ..Config::default() };
    let total = Cell::new(Tally::default());
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let mut reference = Reference::new(mode, sets, is_roomy);
        for step in &steps {
            reference.step(step)?;
        }
        let (sum, tally) = (total.get(), reference.tally);
        total.set(Tally {
            opened: sum.opened + tally.opened,
            excused: sum.excused + tally.excused,
            moved: sum.moved + tally.moved,
        });
        reference.end()
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    total.get()
}

#[test]
fn no_flow_moves_while_its_backend_serves() {
    let tally = play(CONNECTIONS, 250, 256, true);
    assert!(tally.opened > 8_000, "{tally:?}");
}

#[test]
fn no_tracked_flow_moves_while_its_backend_serves() {
    let tally = play(TRACKED, 150, 256, true);
    assert!(tally.opened > 4_000, "{tally:?}");
}

#[test]
fn no_flow_of_datagrams_moves_while_its_backend_serves() {
    let tally = play(DATAGRAMS, 100, 256, true);
    assert!(tally.opened > 2_000, "{tally:?}");
    let tally = play(TRACKED_DATAGRAMS, 50, 256, true);
    assert!(tally.opened > 1_000, "{tally:?}");
}

#[test]
fn no_client_moves_while_its_backend_serves() {
    let tally = play(CLIENTS, 150, 256, true);
    assert!(tally.opened > 2_000, "{tally:?}");
    let tally = play(TRACKED_CLIENTS, 50, 256, true);
    assert!(tally.opened > 800, "{tally:?}");
}

/// Eight places for sixty flows. Whose packets the table has confirmed stays; of the others few move.
#[test]
fn few_flows_move_when_the_table_is_much_too_small() {
    let tally = play(CONNECTIONS, 250, 1, false);
    assert!(tally.opened > 8_000 && tally.excused > 10, "{tally:?}");
    assert!(tally.moved * 1000 <= tally.opened, "{tally:?}");
}
