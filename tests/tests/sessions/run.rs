//! What clients, backends and operators do, and the datapath held against the reference.

use std::{collections::BTreeMap, rc::Rc};

use lb_common::DropReason;
use lb_ebpf::{frame::MemoryFrame, verdict::Verdict};
use lb_userspace::{
    model::{AdminState, Backend, FullNat},
    plan::Snapshot,
};
use proptest::{prelude::*, sample::select};
use tests::{
    packet::{End, Packet, ends},
    tables::{FlowMemory, SessionMemory, SnapshotTables},
    world::{BACK, FRONT, Setup, World, route},
};

use crate::reference::{Kind, Session, is_udp};

const CLIENTS: usize = 40;
pub(crate) const CPUS: u32 = 3;
pub(crate) const NODES: [&str; 2] = ["10.9.1.1", "10.9.1.2"];
pub(crate) const PORTS: std::ops::RangeInclusive<u16> = 20_000..=20_007;
/// The backends behind the TCP service, whose port is 8080; the UDP service has one.
const BACKENDS: [&str; 3] = ["10.9.1.51", "10.9.1.54", "10.9.1.55"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A client sends something. Those with odd numbers send datagrams only.
    Ask(usize, Kind),
    /// The backend that a client has last been brought to answers.
    Answer(usize, Kind),
    /// A client connects, and both ends talk.
    Talk(usize),
    /// Time passes.
    Wait(u64),
    /// Another CPU goes on.
    Cpu(u32),
    /// The operator wants something else of a backend.
    Backend(usize, AdminState),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = || select(vec![Kind::Syn, Kind::Syn, Kind::Data, Kind::Data, Kind::Fin, Kind::Rst]);
    let state = select(vec![AdminState::Up, AdminState::Up, AdminState::Drain, AdminState::Disabled]);
    let step = prop_oneof![
        8 => (0..CLIENTS, kind()).prop_map(|(client, kind)| Step::Ask(client, kind)),
        6 => (0..CLIENTS, kind()).prop_map(|(client, kind)| Step::Answer(client, kind)),
        4 => (0..CLIENTS).prop_map(Step::Talk),
        3 => select(vec![1, 3, 4, 29, 31, 61, 119, 121, 241, 7501]).prop_map(Step::Wait),
        1 => (0..CPUS).prop_map(Step::Cpu),
        1 => (0..BACKENDS.len(), state).prop_map(|(backend, state)| Step::Backend(backend, state)),
    ];
    prop::collection::vec(step, 1..250)
}

/// Every end that the node has for sessions of a protocol.
fn every_port() -> impl Iterator<Item = End> {
    NODES.iter().flat_map(|node| PORTS.map(|port| (node.parse().expect("an address"), port)))
}

/// A client behind a router that the node knows.
pub(crate) fn client_end(client: usize) -> End {
    (format!("192.0.2.{}", client + 1).parse().expect("an address"), 40_000)
}

pub(crate) fn service_end(client: usize) -> End {
    ("10.9.0.108".parse().expect("an address"), if is_udp(client) { 53 } else { 80 })
}

pub(crate) fn packet((from, from_port): End, (to, to_port): End, is_udp: bool, kind: Kind, is_answer: bool) -> Vec<u8> {
    let packet = Packet::ip(&from.to_string(), &to.to_string());
    let packet = match (is_udp, kind) {
        (true, _) => packet.udp(from_port, to_port),
        (false, Kind::Syn) if is_answer => packet.tcp(from_port, to_port).syn().ack(),
        (false, Kind::Syn) => packet.tcp(from_port, to_port).syn(),
        (false, Kind::Data) => packet.tcp(from_port, to_port).ack(),
        (false, Kind::Fin) => packet.tcp(from_port, to_port).ack().fin(),
        (false, Kind::Rst) => packet.tcp(from_port, to_port).rst(),
    };
    packet.payload(b"x").bytes()
}

/// The datapath, and what the reference expects of it.
pub(crate) struct Run {
    pub(crate) setup: Setup,
    pub(crate) snapshot: Snapshot,
    pub(crate) flows: Rc<FlowMemory>,
    pub(crate) sessions: Rc<SessionMemory>,
    /// Who has a port, by whether it is one of UDP and the node's end.
    pub(crate) held: BTreeMap<(bool, End), Session>,
    /// The node's end of each client's last session.
    pub(crate) last: BTreeMap<usize, End>,
}

/// What became of a packet.
pub(crate) enum Fate {
    /// It left from one end for another.
    Left(End, End),
    Passed,
    Dropped(DropReason),
}

impl Run {
    pub(crate) fn new() -> Self {
        let mut setup = Setup::default();
        setup.model.services.retain(|service| ["full", "full-dns"].contains(&service.name.as_str()));
        let addresses = NODES.map(|address| address.parse().expect("an address")).to_vec();
        setup.model.node.full_nat = FullNat { addresses, ports: PORTS };
        for name in &BACKENDS[1..] {
            let (address, hop) = (name.parse().expect("an address"), setup.hop("full").clone());
            setup.next_hops.insert(address, hop);
            let backends = &mut setup.service("full").backends;
            backends.push(Backend { name: (*name).to_owned(), address, ..backends[0].clone() });
        }
        let snapshot = World::new(&setup).snapshot;
        let (flows, sessions) = (Rc::new(FlowMemory::new(1, 1_000_000)), Rc::new(SessionMemory::new(CPUS)));
        Self { setup, snapshot, flows, sessions, held: BTreeMap::new(), last: BTreeMap::new() }
    }

    pub(crate) fn process(&self, mut bytes: Vec<u8>, ingress: u32) -> Fate {
        let tables =
            SnapshotTables::with_flows(&self.snapshot, |packet| route(packet, ingress), Rc::clone(&self.flows));
        let tables = tables.with_sessions(Rc::clone(&self.sessions));
        let mut frame = MemoryFrame::new(&mut bytes, 0, ingress);
        match lb_ebpf::process(&mut frame, &tables) {
            Verdict::Pass => Fate::Passed,
            Verdict::Drop => Fate::Dropped(tables.counts().drops.into_keys().next().expect("a reason")),
            Verdict::Transmit | Verdict::Redirect(_) => {
                let (from, to) = ends(frame.bytes());
                Fate::Left(from, to)
            }
        }
    }

    fn state_of(&self, backend: End) -> AdminState {
        let services = self.setup.model.services.iter().filter(|service| service.name.starts_with("full"));
        let mut backends = services.flat_map(|service| &service.backends);
        backends.find(|known| known.address == backend.0).expect("a backend of the world").state
    }

    /// The session that a client's packet belongs to.
    fn expected(&self, client: usize, kind: Kind) -> Option<(End, End)> {
        let node = *self.last.get(&client)?;
        let session = self.held.get(&(is_udp(client), node)).filter(|session| session.client == client)?;
        let serves = self.state_of(session.backend) != AdminState::Disabled;
        let opens_anew = kind == Kind::Syn && !is_udp(client) && session.has_ended() && session.established;
        (serves && !opens_anew).then_some((node, session.backend))
    }

    fn ask(&mut self, client: usize, kind: Kind) -> Result<(), TestCaseError> {
        let kind = if is_udp(client) { Kind::Data } else { kind };
        let now_s = self.flows.now_s();
        let may_open = is_udp(client) || kind == Kind::Syn;
        let expected = self.expected(client, kind);
        match self.process(packet(client_end(client), service_end(client), is_udp(client), kind, false), FRONT) {
            Fate::Passed => prop_assert!(false, "a packet to a service does not pass"),
            Fate::Left(node, backend) if expected.is_some() => {
                prop_assert_eq!(Some((node, backend)), expected, "a session moved");
                self.held.get_mut(&(is_udp(client), node)).expect("it is held").note(true, kind, now_s);
            }
            Fate::Left(node, backend) => {
                prop_assert!(may_open, "{kind:?} opened a session");
                prop_assert!(NODES.contains(&node.0.to_string().as_str()) && PORTS.contains(&node.1));
                prop_assert_eq!(self.state_of(backend), AdminState::Up, "only who is up gets new sessions");
                self.check_taken((is_udp(client), node))?;
                let (answered, established, reset) = (false, false, false);
                let session = Session {
                    client,
                    backend,
                    spoke_s: now_s,
                    answered,
                    established,
                    client_fin: false,
                    backend_fin: false,
                    reset,
                };
                self.held.insert((is_udp(client), node), session);
                self.last.insert(client, node);
            }
            Fate::Dropped(reason) => {
                prop_assert!(expected.is_none(), "{reason:?}: the session of {client} is lost");
                self.check_refusal(client, may_open, reason)?;
            }
        }
        Ok(())
    }

    /// A port may be given away if nobody needs it; if it could still be of use, only for want of a free one.
    fn check_taken(&self, port: (bool, End)) -> Result<(), TestCaseError> {
        let now_s = self.flows.now_s();
        let Some(before) = self.held.get(&port) else { return Ok(()) };
        prop_assert!(!before.is_needed(now_s), "{port:?} is taken from {before:?}");
        let is_free = |port: (bool, End)| self.held.get(&port).is_none_or(|session| session.is_over(now_s));
        if !before.is_over(now_s) {
            let free = every_port().find(|node| is_free((port.0, *node)));
            prop_assert!(free.is_none(), "{port:?} is taken from {before:?} although {free:?} is free");
        }
        Ok(())
    }

    fn check_refusal(&self, client: usize, may_open: bool, reason: DropReason) -> Result<(), TestCaseError> {
        let now_s = self.flows.now_s();
        match reason {
            DropReason::SessionUnknown => prop_assert!(!may_open),
            DropReason::NoBackend => {
                let all_off =
                    BACKENDS.iter().all(|name| self.state_of((name.parse().expect("an address"), 0)) != AdminState::Up);
                prop_assert!(may_open && all_off && !is_udp(client));
            }
            DropReason::PortsExhausted => {
                prop_assert!(may_open);
                for node in every_port() {
                    let session = self.held.get(&(is_udp(client), node));
                    prop_assert!(
                        session.is_some_and(|session| session.is_needed(now_s)),
                        "{node:?} is free: {session:?}"
                    );
                }
            }
            other => prop_assert!(false, "dropped as {other:?}"),
        }
        Ok(())
    }

    /// The backend of a client's last session sends something, whether or not it is still its session.
    fn answer(&mut self, client: usize, kind: Kind) -> Result<(), TestCaseError> {
        let Some(&node) = self.last.get(&client) else { return Ok(()) };
        let kind = if is_udp(client) { Kind::Data } else { kind };
        let now_s = self.flows.now_s();
        // Whoever has the port now may have another backend.
        let backend = if is_udp(client) { ("10.9.1.52", 5353) } else { (BACKENDS[client % BACKENDS.len()], 8080) };
        let backend: End = (backend.0.parse().expect("an address"), backend.1);
        let fate = self.process(packet(backend, node, is_udp(client), kind, true), BACK);
        let session = self.held.get_mut(&(is_udp(client), node)).filter(|session| session.backend == backend);
        match (fate, session) {
            (Fate::Left(from, to), Some(session)) => {
                prop_assert_eq!((from, to), (service_end(session.client), client_end(session.client)));
                session.note(false, kind, now_s);
            }
            (Fate::Passed, None) => {}
            (Fate::Passed, Some(session)) => {
                prop_assert!(false, "an answer for {session:?} is taken for the node's own");
            }
            (Fate::Left(_, to), None) => prop_assert!(false, "{to:?} got an answer of nobody"),
            (Fate::Dropped(reason), _) => prop_assert!(false, "an answer was dropped as {reason:?}"),
        }
        Ok(())
    }

    /// The backend that has a client's session answers.
    fn answer_rightly(&mut self, client: usize) -> Result<(), TestCaseError> {
        let now_s = self.flows.now_s();
        let Some(&node) = self.last.get(&client) else { return Ok(()) };
        let Some(session) = self.held.get_mut(&(is_udp(client), node)) else { return Ok(()) };
        session.note(false, Kind::Data, now_s);
        let (owner, backend) = (session.client, session.backend);
        match self.process(packet(backend, node, is_udp(client), Kind::Data, true), BACK) {
            Fate::Left(from, to) => prop_assert_eq!((from, to), (service_end(owner), client_end(owner))),
            Fate::Passed | Fate::Dropped(_) => prop_assert!(false, "an answer did not arrive"),
        }
        Ok(())
    }

    pub(crate) fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Ask(client, kind) => self.ask(client, kind)?,
            Step::Answer(client, kind) => self.answer(client, kind)?,
            Step::Talk(client) => {
                self.ask(client, Kind::Syn)?;
                self.answer_rightly(client)?;
                self.ask(client, Kind::Data)?;
            }
            Step::Wait(seconds) => self.flows.pass(seconds),
            Step::Cpu(cpu) => self.sessions.run_on(cpu),
            Step::Backend(backend, state) => {
                self.setup.service("full").backends[backend].state = state;
                self.snapshot = World::new(&self.setup).snapshot;
            }
        }
        Ok(())
    }
}
