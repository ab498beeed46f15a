//! Services that tell flows apart by client: what of a packet decides, and what a row that moves does with it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use lb_common::{Address, Flow, HashKey, Row, RowState};
use lb_userspace::{
    model::{Affinity, Clients},
    plan::Snapshot,
};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, SECRET, Setup, World},
};

pub(super) fn cases() -> Vec<Case> {
    [v4(), v6(), unsettled(), errors()].concat()
}

/// A client of which the first `bits` of 128 count.
const fn clients(bits: u8) -> Clients {
    Clients { bits, timeout: Duration::from_secs(1800) }
}

fn by(service: &'static str, affinity: Affinity) -> impl Fn(&mut Setup) + Copy {
    move |setup| setup.service(service).affinity = affinity
}

/// The flow that only names a client: what a service of its family sees when nothing else counts.
fn client(source: &str) -> Flow {
    let source: IpAddr = source.parse().expect("an address");
    let destination = if source.is_ipv4() { Address::v4(0) } else { Address::UNSPECIFIED };
    Flow { source: source.into(), destination, source_port: 0, destination_port: 0, protocol: 0 }
}

/// The flow that names a client and the TCP port 80 of a service.
fn client_of(source: &str, service: &str) -> Flow {
    let service: IpAddr = service.parse().expect("an address");
    Flow { destination: service.into(), destination_port: 80, protocol: 6, ..client(source) }
}

/// The backend on the row of what names a client, from the hash and the ring alone.
fn owner(setup: impl Fn(&mut Setup), service: &'static str, named: &Flow) -> String {
    let mut changed = Setup::default();
    setup(&mut changed);
    let world = World::new(&changed);
    let asked = changed.service(service);
    let key = lb_userspace::plan::service_key(asked, asked.ports.only().unwrap_or(0));
    let ring = &world.snapshot.rings[&world.snapshot.services[&key].ring.into()];
    // The top ten bits of the hash are the row of a ring of 1024.
    let slot = ring[(named.hash(&HashKey::expand(SECRET)) >> 54) as usize].current();
    let backends = changed.service(service).backends.iter().map(|backend| backend.name.clone());
    backends.into_iter().find(|backend| world.slot(service, backend) == slot).expect("a backend of the row")
}

/// A case: packets from a client's port go to the owner of what names the client.
fn case(name: &str, service: &'static str, affinity: Affinity, named: &Flow, packet: impl Fn(u8) -> Packet) -> Case {
    let setup = by(service, affinity);
    let backend: &'static str = owner(setup, service, named).leak();
    Case::new(format!("affinity: {name}"), packet(64))
        .with(setup)
        .redirects(BACK, backend, packet(63))
        .counts(service, backend)
}

fn v4() -> Vec<Case> {
    const SERVICE: &str = "10.9.0.101";
    let from = |client: &'static str, port| move |ttl| Packet::v4(client, SERVICE).ttl(ttl).tcp(port, 80).ack();
    let spread = |name: &str, affinity, named: Flow, packet: &dyn Fn(u8) -> Packet| {
        case(name, "spread", affinity, &named, packet)
    };
    let by_client = |bits| Affinity::Client(clients(bits));
    let by_both = |bits| Affinity::ClientService(clients(bits));
    let mut cases = Vec::new();
    for port in [40001, 40002, 40003, 50000] {
        let name = format!("a client's port {port} does not matter");
        cases.push(spread(&name, by_client(128), client(CLIENT), &from(CLIENT, port)));
        let name = format!("a client's port {port} does not matter, only the service's");
        cases.push(spread(&name, by_both(128), client_of(CLIENT, SERVICE), &from(CLIENT, port)));
    }
    for source in ["10.9.0.1", "10.9.0.77", "10.9.0.255"] {
        let name = format!("{source} is of the client 10.9.0.0/24");
        cases.push(spread(&name, by_client(96 + 24), client("10.9.0.0"), &from(source, 40000)));
        let name = format!("{source} is of the client 10.9.0.0/24 of the service");
        cases.push(spread(&name, by_both(96 + 24), client_of("10.9.0.0", SERVICE), &from(source, 40000)));
    }
    for (source, prefix, bits) in [("203.0.113.77", "203.0.113.64", 27), ("203.0.113.77", "128.0.0.0", 1)] {
        let name = format!("{source} is of the client {prefix}/{bits}");
        cases.push(spread(&name, by_client(96 + bits), client(prefix), &from(source, 40000)));
    }
    cases
}

fn v6() -> Vec<Case> {
    const SERVICE: &str = "fd09::101";
    let from = |client: &'static str| move |ttl| Packet::v6(client, SERVICE).ttl(ttl).tcp(40000, 80).ack();
    let spread = |source: &'static str, prefix: &str, bits: u8| {
        let by_client = format!("{source} is of the client {prefix}/{bits}");
        let by_both = format!("{source} is of the client {prefix}/{bits} of the service");
        let packet = from(source);
        [
            case(&by_client, "spread6", Affinity::Client(clients(bits)), &client(prefix), packet),
            case(&by_both, "spread6", Affinity::ClientService(clients(bits)), &client_of(prefix, SERVICE), packet),
        ]
    };
    [
        spread("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", 64),
        spread("2001:db8:1:2:ffff::1", "2001:db8:1:2::", 64),
        spread("2001:db8:1:2ff::1", "2001:db8:1:200::", 56),
        spread("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", 128),
        spread("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4::", 96),
        spread("2001:db8:1:2:3:4:5:6", "2000::", 3),
    ]
    .concat()
}

/// Every row of the ring of the first service of three backends moves: from its last backend to its first.
fn moves(snapshot: &mut Snapshot) {
    let spread: Vec<u16> = snapshot.backends.keys().copied().filter(|slot| is_of_spread(snapshot, *slot)).collect();
    let [current, _, default] = spread[..] else { panic!("three backends") };
    let service = snapshot.backends[&current].service;
    let value = snapshot.services.values().find(|value| !value.is_address() && value.id == service).expect("a service");
    let first = u32::from(value.ring);
    let rows = snapshot.rings[&first].len();
    snapshot.rings.insert(first, Arc::from(vec![Row::new(current, default, RowState::Moving); rows]));
}

fn is_of_spread(snapshot: &Snapshot, slot: u16) -> bool {
    let spread = ["10.9.1.21", "10.9.1.22", "10.9.1.23"].map(|text| text.parse::<IpAddr>().expect("an address"));
    spread.contains(&snapshot.backends[&slot].address.into())
}

/// What begins a connection, or ends it, says nothing of the client.
fn unsettled() -> Vec<Case> {
    let syn = |port, ttl| Packet::v4("203.0.113.9", "10.9.0.101").ttl(ttl).tcp(port, 80).syn();
    let (new, old) = ("10.9.1.21", "10.9.1.23");
    let to = |name: &str, port, backend: &'static str| {
        Case::new(format!("affinity: {name}"), syn(port, 64))
            .with_tables(moves)
            .redirects(BACK, backend, syn(port, 63))
            .counts("spread", backend)
            .opens_flow()
    };
    vec![
        to("a new connection goes where the row has moved", 40001, new),
        to("a client's new connection goes where the client was", 40002, old)
            .with(by("spread", Affinity::Client(clients(128)))),
        to("the same of a client of the service", 40003, old).with(by("spread", Affinity::ClientService(clients(128)))),
    ]
}

/// An error about a packet to a client's port.
fn about(service: &'static str, client: &'static str, port: u16) -> impl Fn(u8) -> Packet + Copy {
    move |ttl| {
        let quoted = Packet::ip(service, client).tcp(80, port).ack();
        match client.contains(':') {
            true => Packet::v6("2001:db8:9::1", service).ttl(ttl).icmp(2, 0, 1400).quoting(&quoted, 48),
            false => Packet::v4("198.51.100.1", service).ttl(ttl).icmp(3, 4, 1400).quoting(&quoted, 28),
        }
    }
}

/// Errors go where the client's packets go, and leave no trace of a client or a flow.
fn errors() -> Vec<Case> {
    const SERVICE: &str = "10.9.0.101";
    let by_client = |bits| Affinity::Client(clients(bits));
    let by_both = |bits| Affinity::ClientService(clients(bits));
    let mut cases = Vec::new();
    for port in [40001, 40002, 40003, 50000] {
        let (error, name) = (about(SERVICE, CLIENT, port), format!("an error about a client's port {port}"));
        cases.push(case(&name, "spread", by_client(128), &client(CLIENT), error));
        let name = format!("{name} and the service's");
        cases.push(case(&name, "spread", by_both(128), &client_of(CLIENT, SERVICE), error));
    }
    let prefix = client("10.9.0.0");
    cases.push(case("an error about 10.9.0.77", "spread", by_client(120), &prefix, about(SERVICE, "10.9.0.77", 4)));
    let (of, service6) = ("2001:db8:1:2:ffff::1", "fd09::101");
    let prefix = client("2001:db8:1:2::");
    cases.push(case("an error about an IPv6 client", "spread6", by_client(64), &prefix, about(service6, of, 4)));
    let (new, old) = ("10.9.1.21", "10.9.1.23");
    let syn = |port| Packet::v4(CLIENT, SERVICE).tcp(port, 80).syn();
    let error = |name: &str, port, backend: &'static str| {
        let error = about(SERVICE, CLIENT, port);
        Case::new(format!("affinity: {name}"), error(64))
            .with_tables(moves)
            .redirects(BACK, backend, error(63))
            .counts("spread", backend)
    };
    cases.extend([
        error("an error about a flow that nobody knows goes where the row was", 40001, old),
        error("an error about a new flow goes where that is", 40001, new).after(syn(40001)),
        error("an error about another flow does not", 40002, old).after(syn(40001)),
        error("an error about a client that nobody knows", 40001, old).with(by("spread", by_client(128))),
        error("an error about a client that is known", 40002, old).with(by("spread", by_client(128))).after(syn(40001)),
        // Had the error been noted as a packet of an old flow, the opening would be taken for one that is known.
        Case::new("affinity: an error leaves no trace of a flow", syn(40001))
            .with_tables(moves)
            .after(about(SERVICE, CLIENT, 40001)(64))
            .redirects(BACK, new, Packet::v4(CLIENT, SERVICE).ttl(63).tcp(40001, 80).syn())
            .counts("spread", new)
            .opens_flow(),
        Case::new("affinity: a segment after an error goes where it would have gone", {
            Packet::v4(CLIENT, SERVICE).tcp(40001, 80).ack()
        })
        .with_tables(moves)
        .after(syn(40001))
        .after(about(SERVICE, CLIENT, 40001)(64))
        .redirects(BACK, new, Packet::v4(CLIENT, SERVICE).ttl(63).tcp(40001, 80).ack())
        .counts("spread", new),
    ]);
    cases
}
