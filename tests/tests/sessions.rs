//! Sessions of `full-nat`, in any order and against a simple reference: no port has two sessions that somebody needs, every reply
//! reaches its client and nobody else, an established session stays where it is, and no port is refused while one is free.
//!
//! The reference is a map from the node's ends to who has them, and knows no hash, no search and no words of a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use lb_common::{DirectoryPlace, DropReason, Mark, REST_SECONDS, Row, RowState, Second, SessionId, SessionState};
use lb_ebpf::{frame::MemoryFrame, verdict::Verdict};
use lb_userspace::{
    daemon::scan_sessions,
    dataplane::OpenSession,
    model::{AdminState, Affinity, Backend, Clients, FullNat, Track},
    plan::{Census, Snapshot},
};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, RngSeed},
};
use tests::{
    packet::{End, Packet, ends},
    tables::{FlowMemory, SessionMemory, SnapshotTables},
    world::{BACK, FRONT, Setup, World, route},
};
use zerocopy::{FromBytes, IntoBytes};

const CLIENTS: usize = 40;
const CPUS: u32 = 3;
const NODES: [&str; 2] = ["10.9.1.1", "10.9.1.2"];
const PORTS: std::ops::RangeInclusive<u16> = 20_000..=20_007;
/// The backends behind the TCP service, whose port is 8080; the UDP service has one.
const BACKENDS: [&str; 3] = ["10.9.1.51", "10.9.1.54", "10.9.1.55"];

/// What somebody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Syn,
    Data,
    Fin,
    Rst,
}

#[derive(Clone, Debug)]
enum Step {
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
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

/// What the reference knows of a session.
#[derive(Clone, Debug)]
struct Session {
    client: usize,
    backend: End,
    spoke_s: u64,
    answered: bool,
    established: bool,
    client_fin: bool,
    backend_fin: bool,
    reset: bool,
}

impl Session {
    const fn may_end(&self) -> bool {
        !self.established || self.reset || (self.client_fin && self.backend_fin)
    }

    const fn has_ended(&self) -> bool {
        self.reset || self.client_fin || self.backend_fin
    }

    /// For how long it is kept, in seconds.
    const fn keep_s(&self) -> u64 {
        match (is_udp(self.client), self.may_end(), self.has_ended()) {
            (true, true, _) => 30,
            (true, false, _) => 120,
            (false, true, _) => 60,
            (false, false, true) => 240,
            (false, false, false) => 7500,
        }
    }

    /// Whether its port is free.
    const fn is_over(&self, now_s: u64) -> bool {
        now_s - self.spoke_s > self.keep_s()
    }

    /// Whether nobody else may have its port, even if there is no other.
    fn is_needed(&self, now_s: u64) -> bool {
        now_s - self.spoke_s <= u64::from(REST_SECONDS) || !(self.may_end() || self.is_over(now_s))
    }

    fn note(&mut self, from_client: bool, kind: Kind, now_s: u64) {
        self.spoke_s = now_s;
        match (kind, from_client) {
            (Kind::Rst, _) => self.reset = true,
            // What ended before it was established begins anew.
            (Kind::Syn, true) if self.has_ended() && !self.established => {
                (self.answered, self.client_fin, self.backend_fin, self.reset) = (false, false, false, false);
            }
            (Kind::Syn, true) => {}
            (_, true) => {
                self.established |= self.answered;
                self.client_fin |= kind == Kind::Fin;
            }
            (_, false) => {
                self.answered = true;
                self.backend_fin |= kind == Kind::Fin;
            }
        }
    }
}

const fn is_udp(client: usize) -> bool {
    client % 2 == 1
}

/// Every end that the node has for sessions of a protocol.
fn every_port() -> impl Iterator<Item = End> {
    NODES.iter().flat_map(|node| PORTS.map(|port| (node.parse().expect("an address"), port)))
}

/// A client behind a router that the node knows.
fn client_end(client: usize) -> End {
    (format!("192.0.2.{}", client + 1).parse().expect("an address"), 40_000)
}

fn service_end(client: usize) -> End {
    ("10.9.0.108".parse().expect("an address"), if is_udp(client) { 53 } else { 80 })
}

fn packet((from, from_port): End, (to, to_port): End, is_udp: bool, kind: Kind, is_answer: bool) -> Vec<u8> {
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
struct Run {
    setup: Setup,
    snapshot: Snapshot,
    flows: Rc<FlowMemory>,
    sessions: Rc<SessionMemory>,
    /// Who has a port, by whether it is one of UDP and the node's end.
    held: BTreeMap<(bool, End), Session>,
    /// The node's end of each client's last session.
    last: BTreeMap<usize, End>,
}

/// What became of a packet.
enum Fate {
    /// It left from one end for another.
    Left(End, End),
    Passed,
    Dropped(DropReason),
}

impl Run {
    fn new() -> Self {
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

    fn process(&self, mut bytes: Vec<u8>, ingress: u32) -> Fate {
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

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
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

proptest! {
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(0x51_1ce), failure_persistence: None, ..Config::with_cases(300) })]

    #[test]
    fn sessions_do_what_a_simple_map_does(steps in steps()) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step)?;
            prop_assert!(run.sessions.entries() <= run.held.len(), "an entry outlived its session");
        }
    }
}

#[test]
fn a_cpu_that_has_no_port_left_uses_those_of_others() {
    let mut run = Run::new();
    for client in (0..32).step_by(2) {
        run.step(&Step::Talk(client)).expect("a session");
    }
    assert_eq!(run.held.len(), NODES.len() * PORTS.len(), "one CPU got every port of all");
    run.step(&Step::Ask(34, Kind::Syn)).expect("a refusal that is right");
    assert_eq!(run.held.len(), NODES.len() * PORTS.len());
}

/// A port rests for as long as it can: the first of a CPU's own is given out again only after the others of them.
#[test]
fn ports_are_given_out_in_turn() {
    let mut run = Run::new();
    run.setup.model.node.full_nat.addresses.truncate(1);
    run.snapshot = World::new(&run.setup).snapshot;
    let mut ports = Vec::new();
    for _ in 0..2 * PORTS.len() {
        run.step(&Step::Talk(0)).expect("a session");
        ports.push(run.last[&0].1);
        run.step(&Step::Ask(0, Kind::Rst)).expect("its end");
        run.step(&Step::Wait(1000)).expect("time");
    }
    // The first of three CPUs has two of eight ports to itself.
    assert_eq!(ports[..6], [20_000, 20_001, 20_000, 20_001, 20_000, 20_001]);
}

/// What another CPU is faster with costs a packet at the most, and never leaves half a session.
#[test]
fn lost_races_cost_a_packet_and_no_port() {
    use DropReason::{PortsExhausted, SessionUnknown};
    let dropped = |run: &Run, kind| {
        let frame = packet(client_end(0), service_end(0), false, kind, false);
        if let Fate::Dropped(reason) = run.process(frame, FRONT) { Some(reason) } else { None }
    };
    // The port is another's; the place in the directory is.
    for after in [0, 2] {
        let run = Run::new();
        run.sessions.lose_races(after, 1);
        assert_eq!(dropped(&run, Kind::Syn), Some(PortsExhausted), "after {after} changes");
        assert_eq!(run.sessions.entries(), 0);
        let is_open = |session: &lb_common::Session| SessionState::from_word(session.state).is_open();
        assert!(!run.sessions.sessions().values().any(is_open), "after {after} changes");
        assert_eq!(dropped(&run, Kind::Syn), None, "after {after} changes");
    }
    // A packet of the same session from the other side, once; somebody who takes the session does not look like this.
    let run = Run::new();
    assert_eq!(dropped(&run, Kind::Syn), None);
    for (losses, expected) in [(1, None), (2, Some(SessionUnknown)), (0, None)] {
        run.flows.pass(1);
        run.sessions.lose_races(0, losses);
        assert_eq!(dropped(&run, Kind::Data), expected, "{losses} lost races");
    }
}

/// What a scan sees: whose backend is gone is ended, whose is drained is counted, and what is over is neither.
#[test]
fn a_scan_ends_the_sessions_of_backends_that_are_gone() {
    let mut setup = Run::new().setup;
    setup.service("full").backends[1].state = AdminState::Drain;
    setup.service("full").backends[2].state = AdminState::Disabled;
    let snapshot = World::new(&setup).snapshot;
    let address = |slot: u16| snapshot.backends[&slot].address;
    let id = SessionId::new(0, true, 20_000);
    let opened = SessionState::opened(DirectoryPlace::of(7, 3), true, Second::new(1000));
    let state = opened.after(Mark::Backend, true, Second::new(1000)).after(Mark::Client, true, Second::new(1000));
    // The slot, the backend's address, how much later the scan comes, whether it counts, whether it is ended.
    let cases = [
        (0, address(0), 10, true, false),
        (1, address(1), 10, true, false),
        (2, address(2), 10, true, true),
        (0, address(1), 10, true, true),
        (77, address(0), 10, true, true),
        (0, address(0), 8000, false, false),
        (77, address(0), 8000, false, false),
    ];
    for (slot, backend, later_s, counts, ends) in cases {
        let session = lb_common::Session { state: state.word(), backend, slot, ..lb_common::Session::default() };
        let words: [u64; 8] = <[u64; 8]>::read_from_bytes(session.as_bytes()).expect("eight words");
        let words = words.map(AtomicU64::new);
        let mut census = Census::default();
        let mut scan = |now_s| scan_sessions(OpenSession::at(id, &words).into_iter(), &snapshot, now_s, &mut census);
        scan(1000 + later_s);
        let after = SessionState::from_word(words[0].load(Relaxed));
        assert_eq!(after.has_ended(), ends, "slot {slot}, {later_s} s later");
        assert_eq!(after != state, ends, "slot {slot}, {later_s} s later");
        // A second scan leaves it alone, so that its port becomes free.
        scan(1030 + later_s);
        assert_eq!(words[0].load(Relaxed), after.word());
        assert_eq!(
            census.flows.get(&slot).copied().unwrap_or(0),
            if counts { 2 } else { 0 },
            "slot {slot}, {later_s} s"
        );
        if ends {
            assert!(!after.is_free(Second::new(1070)) && after.is_free(Second::new(1071)));
        }
    }
}

/// The backends that connections of one client's are brought to, each once.
fn backends_of_a_client(run: &Run) -> BTreeSet<End> {
    let connect = |port| {
        let client = ("192.0.2.200".parse().expect("an address"), port);
        match run.process(packet(client, service_end(0), false, Kind::Syn, false), FRONT) {
            Fate::Left(_, backend) => backend,
            Fate::Passed | Fate::Dropped(_) => panic!("a connection was refused"),
        }
    };
    (40_000..40_012).map(connect).collect()
}

/// Each connection has a session of its own, and the service says which backend the sessions of a client have.
#[test]
fn connections_of_a_client_go_to_one_backend_if_the_service_says_so() {
    assert!(backends_of_a_client(&Run::new()).len() > 1, "twelve connections do not have one backend by chance");
    for affinity in [Affinity::Client(CLIENTS_ALONE), Affinity::ClientService(CLIENTS_ALONE)] {
        let mut run = Run::new();
        run.setup.service("full").affinity = affinity;
        run.snapshot = World::new(&run.setup).snapshot;
        assert_eq!(backends_of_a_client(&run).len(), 1, "{affinity:?}");
    }
}

const CLIENTS_ALONE: Clients = Clients { bits: 128, timeout: std::time::Duration::from_secs(60) };

/// Where rows move, the flow table knows the client, and a further connection goes where the first went.
#[test]
fn a_client_that_the_flow_table_knows_stays_when_its_row_moves() {
    let mut run = Run::new();
    let service = run.setup.service("full");
    (service.affinity, service.track) = (Affinity::Client(CLIENTS_ALONE), Track::Always);
    run.snapshot = World::new(&run.setup).snapshot;
    let before = backends_of_a_client(&run);
    for rows in run.snapshot.rings.values_mut() {
        let away = |row: &Row| Row::new(if row.current() == 0 { 1 } else { 0 }, row.default(), RowState::Lookup);
        *rows = rows.iter().map(away).collect();
    }
    run.sessions = Rc::new(SessionMemory::new(CPUS));
    assert_eq!(backends_of_a_client(&run), before);
}

/// An address that the operator takes away takes its sessions with it: nothing leaves from an address that is none.
#[test]
fn sessions_of_an_address_that_is_taken_away_are_unknown() {
    let mut run = Run::new();
    run.step(&Step::Talk(0)).expect("a session");
    let (gone, _) = run.last[&0];
    run.snapshot.node_addresses.retain(|_, node| IpAddr::from(node.address) != gone);
    let ask = |kind| run.process(packet(client_end(0), service_end(0), false, kind, false), FRONT);
    assert!(matches!(ask(Kind::Data), Fate::Dropped(DropReason::SessionUnknown)));
    assert!(matches!(ask(Kind::Syn), Fate::Left((node, _), _) if node != gone), "a SYN opens another session");
    assert!(matches!(ask(Kind::Data), Fate::Left(..)));
}
