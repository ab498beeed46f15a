//! ICMP errors and fragments meet every kind of service: ranges of ports, prefixes, allowed sources, `gue`, the node itself.

use lb_common::{
    DropReason::{FragmentUnknown, IcmpUnknown, SourceNotAllowed},
    Flow, HashKey,
};
use lb_userspace::model::{
    Delivery::{L2, Nat},
    Protocol::{Tcp, Udp},
};

use super::{
    Case,
    gue::source_port,
    ipip::{hash, outer4},
    lines::{Line, Lines},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT, SECRET, Setup},
};

const SERVICES: Lines = Lines { subject: "rare", lines: LINES };

const LINES: &[Line] = &[
    ("range", Tcp, "10.9.0.110", &[(8000, 8100)], L2, "10.9.1.52"),
    ("range6", Udp, "fd09::110", &[(8000, 8100)], L2, "fd09:1::52"),
    ("nat-range", Udp, "10.9.0.112", &[(8000, 8100), (80, 80)], Nat, "10.9.1.58"),
    ("nat-own", Udp, "10.9.0.113", &[(9000, 9000)], Nat, "10.9.1.59"),
    ("nat6-own", Udp, "fd09::113", &[(9000, 9000)], Nat, "fd09:1::59"),
    ("net24", Tcp, "10.20.0.0/24", &[(80, 80)], L2, "10.9.1.61"),
    ("net25", Tcp, "10.20.0.128/25", &[], L2, "10.9.1.62"),
    ("net64", Udp, "fd20::/64", &[(53, 53)], L2, "fd09:1::61"),
];

const LONG: &[u8] = b"a question that is long enough to be cut in two";

pub(super) fn cases() -> Vec<Case> {
    [lines(), nat_ranges(), nat_fragments(), sources(), gue(), local()].concat()
}

fn is_v6(address: &str) -> bool {
    address.contains(':')
}

fn client(address: &str) -> &'static str {
    if is_v6(address) { CLIENT6 } else { CLIENT }
}

/// A packet of the client's or to it.
fn packet(protocol: u8, (from, port): (&str, u16), (to, to_port): (&str, u16)) -> Packet {
    let packet = Packet::ip(from, to);
    if protocol == 6 { packet.tcp(port, to_port).ack() } else { packet.udp(port, to_port) }
}

/// "Too big" from a router to a receiver, about what is quoted as far as routers must quote it.
fn error(receiver: &str, quoted: &Packet) -> Packet {
    if is_v6(receiver) {
        Packet::v6("2001:db8:1::1", receiver).icmp(2, 0, 1400).quoting(quoted, 48)
    } else {
        Packet::v4("192.0.2.1", receiver).icmp(3, 4, 1400).quoting(quoted, 28)
    }
}

/// An error about what a service's address and port have sent, and a datagram to it in fragments.
fn lines() -> Vec<Case> {
    let mut cases = Vec::new();
    for (service, protocol, address, port, backend) in [
        ("range", 6, "10.9.0.110", 8000, "10.9.1.52"),
        ("range", 6, "10.9.0.110", 8100, "10.9.1.52"),
        ("range6", 17, "fd09::110", 8050, "fd09:1::52"),
        ("net24", 6, "10.20.0.77", 80, "10.9.1.61"),
        ("net25", 6, "10.20.0.177", 4711, "10.9.1.62"),
        ("net64", 17, "fd20::77", 53, "fd09:1::61"),
    ] {
        let sent = packet(protocol, (address, port), (client(address), 40000));
        let [first, later] = packet(protocol, (client(address), 40000), (address, port)).payload(LONG).fragments(48);
        let case = |name: &str, packet: &Packet| {
            SERVICES
                .case(&format!("{name}, {address} port {port} of {service}"), packet.clone())
                .redirects(BACK, backend, packet.clone().ttl(63))
                .counts(service, backend)
        };
        cases.extend([
            case("an error", &error(address, &sent)),
            case("a first fragment", &first),
            case("a later fragment", &later).after(first.clone()),
        ]);
    }
    let unknown = |name: &str, receiver: &str, (from, port)| {
        let sent = packet(6, (from, port), (client(from), 40000));
        SERVICES.case(&format!("an error about {name}"), error(receiver, &sent)).drops(IcmpUnknown)
    };
    let [_, later] = packet(17, (CLIENT, 40000), ("10.20.0.9", 53)).payload(LONG).fragments(48);
    cases.extend([
        unknown("the port before a range", "10.9.0.110", ("10.9.0.110", 7999)),
        unknown("the port behind a range", "10.9.0.110", ("10.9.0.110", 8101)),
        unknown("a port that a prefix does not have", "10.20.0.77", ("10.20.0.77", 81)),
        unknown("another address of the prefix", "10.20.0.77", ("10.20.0.78", 80)),
        SERVICES.case(
            "an error behind a prefix passes",
            error("10.20.1.77", &{ packet(6, ("10.20.1.77", 80), (CLIENT, 40000)) }),
        ),
        SERVICES.case("a later fragment to a prefix, alone", later).drops(FragmentUnknown),
    ]);
    cases
}

/// By `nat` with ranges the port stays, and an error of a backend's is told by its port.
fn nat_ranges() -> Vec<Case> {
    let to_service = |port, ttl, source: &str, receiver: &str| {
        error(receiver, &packet(17, (source, port), (CLIENT, 40000))).ttl(ttl)
    };
    let to_client = |port, ttl, source: &str, quoted: &str| {
        let quoted = packet(17, (CLIENT, 40000), (quoted, port));
        Packet::v4(source, CLIENT).ttl(ttl).icmp(3, 3, 0).quoting(&quoted, 28)
    };
    let mut cases = Vec::new();
    for port in [80, 8000, 8100] {
        cases.extend([
            SERVICES
                .case(&format!("an error by nat, port {port}"), to_service(port, 64, "10.9.0.112", "10.9.0.112"))
                .redirects(BACK, "10.9.1.58", to_service(port, 63, "10.9.1.58", "10.9.1.58"))
                .counts("nat-range", "10.9.1.58"),
            SERVICES
                .case(&format!("a backend's error by nat, port {port}"), to_client(port, 64, "10.9.1.58", "10.9.1.58"))
                .from(BACK)
                .redirects(FRONT, CLIENT, to_client(port, 63, "10.9.0.112", "10.9.0.112")),
        ]);
    }
    let strange = to_client(8101, 64, "10.9.1.58", "10.9.1.58");
    cases.push(SERVICES.case("a backend's error about a port that is nobody's passes", strange).from(BACK));
    cases
}

/// Datagrams in fragments by `nat`, where the backend's port is the service's own or the client's choice.
fn nat_fragments() -> Vec<Case> {
    let mut cases = Vec::new();
    for (service, address, port, backend) in [
        ("nat-range", "10.9.0.112", 8050, "10.9.1.58"),
        ("nat-range", "10.9.0.112", 80, "10.9.1.58"),
        ("nat-own", "10.9.0.113", 9000, "10.9.1.59"),
        ("nat6-own", "fd09::113", 9000, "fd09:1::59"),
    ] {
        let client = client(address);
        let cut = |from, to, ttl| packet(17, from, to).ttl(ttl).payload(LONG).fragments(48);
        let asked = cut((client, 40000), (address, port), 64);
        let sent = cut((client, 40000), (backend, port), 63);
        let replied = cut((backend, port), (client, 40000), 64);
        let left = cut((address, port), (client, 40000), 63);
        let case = |name: &str, packet: &Packet| {
            SERVICES.case(&format!("{name} of a datagram by nat, {service} port {port}"), packet.clone())
        };
        cases.extend([
            case("the first", &asked[0]).redirects(BACK, backend, sent[0].clone()).counts(service, backend),
            case("a later", &asked[1])
                .after(asked[0].clone())
                .redirects(BACK, backend, sent[1].clone())
                .counts(service, backend),
            case("the first of the reply", &replied[0]).from(BACK).redirects(FRONT, client, left[0].clone()),
            case("a later of the reply", &replied[1]).from(BACK).after(replied[0].clone()).redirects(
                FRONT,
                client,
                left[1].clone(),
            ),
        ]);
    }
    cases
}

/// Any router may complain: whether a source may use the service is asked of the client.
fn sources() -> Vec<Case> {
    let only = |setup: &mut Setup| setup.service("web").allow_from = vec!["203.0.113.0/24".parse().expect("a prefix")];
    let about = |client: &str| error("10.9.0.100", &packet(6, ("10.9.0.100", 80), (client, 40000)));
    let cut = |client: &str, ttl| packet(6, (client, 40000), ("10.9.0.100", 80)).ttl(ttl).payload(LONG).fragments(48);
    let case = |name: &str, packet: Packet| Case::new(format!("rare: {name}"), packet).with(only);
    let [first, later] = cut(CLIENT, 64);
    let [good, others] = cut("203.0.113.9", 64);
    vec![
        case("a router's error about an allowed client", about("203.0.113.9"))
            .transmits("10.9.0.11", about("203.0.113.9").ttl(63))
            .counts("web", "10.9.0.11"),
        case("an error about a client that is not allowed", about(CLIENT)).drops(SourceNotAllowed),
        case("a first fragment of a client that is not allowed", first.clone()).drops(SourceNotAllowed),
        case("a later fragment of a client that is not allowed", later).after(first).drops(FragmentUnknown),
        case("a later fragment of an allowed client", others)
            .after(good)
            .transmits("10.9.0.11", cut("203.0.113.9", 63)[1].clone())
            .counts("web", "10.9.0.11"),
    ]
}

/// Inside `gue`. Its checksum over IPv6 would cover bytes that nobody adds up, and is left out.
fn gue() -> Vec<Case> {
    let mut cases = Vec::new();
    for (service, dns, address, backend) in [
        ("gue-4in4", "gue-4in4-dns", "10.9.0.160", "10.9.1.161"),
        ("gue-4in6", "gue-4in6-dns", "10.9.0.161", "fd09:1::163"),
        ("gue-6in4", "gue-6in4-dns", "fd09::160", "10.9.1.164"),
        ("gue-6in6", "gue-6in6-dns", "fd09::161", "fd09:1::165"),
    ] {
        let client = client(address);
        let carried = |hash: u64, inner: &Packet| {
            let outer = match is_v6(backend) {
                true => Packet::v6("fd09:1::1", backend).flow_label(hash as u32 & 0xf_ffff),
                false => outer4("10.9.1.1", backend),
            };
            outer.gue(source_port(hash), 6080, &inner.clone().ttl(63)).without_checksum()
        };
        let sent = packet(6, (address, 80), (client, 40000));
        let [first, later] = packet(17, (client, 40000), (address, 53)).payload(LONG).fragments(48);
        let case = |name: &str, service, packet: &Packet, hash| {
            Case::new(format!("rare: {name} by {service}"), packet.clone())
                .redirects(BACK, backend, carried(hash, packet))
                .counts(service, backend)
        };
        cases.extend([
            case("an error", service, &error(address, &sent), hash(client, address, 80, 6)),
            case("a first fragment", dns, &first, hash(client, address, 53, 17)),
            case("a later fragment", dns, &later, identity(client, address)).after(first.clone()),
        ]);
    }
    cases
}

/// The hash of what the fragments of a builder's datagram have in common: addresses, and in the place of the ports its
/// identification; the protocol in IPv4, the fragment header's in IPv6.
fn identity(client: &str, service: &str) -> u64 {
    let address = |text: &str| text.parse::<std::net::IpAddr>().expect("an address").into();
    let [first, _] = packet(17, (client, 40000), (service, 53)).payload(LONG).fragments(48);
    let bytes = first.bytes();
    let (at, protocol) = if is_v6(client) { (14 + 40 + 4, 44) } else { (14 + 4 - 2, 17) };
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let source_port = if is_v6(client) { word(at) } else { 0 };
    let flow = Flow {
        source: address(client),
        destination: address(service),
        source_port,
        destination_port: word(at + 2),
        protocol,
    };
    flow.hash(&HashKey::expand(SECRET))
}

/// What is for a service of the node itself goes up as it is.
fn local() -> Vec<Case> {
    let at_home = |service: &'static str| {
        move |setup: &mut Setup| {
            let hop = setup.hop(service);
            (hop.ifindex, hop.interface, hop.is_local) = (1, "lo".to_owned(), true);
        }
    };
    let sent = packet(6, ("10.9.0.100", 80), (CLIENT, 40000));
    let [first, later] = packet(17, (CLIENT, 40000), ("10.9.0.102", 53)).payload(LONG).fragments(48);
    vec![
        Case::new("rare: an error about what the node itself has sent", error("10.9.0.100", &sent))
            .with(at_home("web"))
            .counts("web", "10.9.0.11"),
        Case::new("rare: a later fragment to the node itself", later)
            .with(at_home("4in4-dns"))
            .after(first)
            .counts("4in4-dns", "10.9.1.31"),
    ]
}
