//! Sessions of `full-nat`, in any order and against a simple reference: no port has two sessions that somebody needs, every reply
//! reaches its client and nobody else, an established session stays where it is, and no port is refused while one is free.
//!
//! The reference is a map from the node's ends to who has them, and knows no hash, no search and no words of a table.

mod reference;
mod run;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use lb_common::{DirectoryPlace, DropReason, Mark, Row, RowState, Second, SessionId, SessionState};
use lb_userspace::{
    daemon::scan_sessions,
    dataplane::OpenSession,
    model::{AdminState, Affinity, Clients, Track},
    plan::Census,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};
use tests::{
    packet::End,
    tables::SessionMemory,
    world::{FRONT, World},
};
use zerocopy::{FromBytes, IntoBytes};

use crate::{
    reference::Kind,
    run::{CPUS, Fate, NODES, PORTS, Run, Step, client_end, packet, service_end, steps},
};

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
