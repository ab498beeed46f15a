//! Ranges and lists of ports: the exact port first, then the ranges, then any port.

use lb_common::DropReason::{FragmentUnknown, MalformedIp, MalformedTransport, NoBackend};
use lb_userspace::model::{
    Delivery::{self, Ipip, L2, Nat},
    PortSpan, Ports,
    Protocol::{self, Tcp, Udp},
};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, FRONT, Setup, service},
};

pub(super) fn cases() -> Vec<Case> {
    [ranges(), lists(), edges(), addresses(), nat_requests(), nat_replies()].concat()
}

type Line = (&'static str, Protocol, &'static str, &'static [(u16, u16)], Delivery, &'static str);

/// Services with ranges. No ranges at all is any port.
const SERVICES: &[Line] = &[
    ("exact", Tcp, "10.9.0.110", &[(8050, 8050)], L2, "10.9.1.51"),
    ("low", Tcp, "10.9.0.110", &[(8000, 8100)], L2, "10.9.1.52"),
    ("high", Tcp, "10.9.0.110", &[(60000, 65535)], L2, "10.9.1.53"),
    ("list", Tcp, "10.9.0.110", &[(80, 80), (443, 443), (7000, 7001)], L2, "10.9.1.54"),
    ("udp", Udp, "10.9.0.110", &[(8000, 8100)], Ipip, "10.9.1.55"),
    ("range", Tcp, "10.9.0.111", &[(8000, 8100)], L2, "10.9.1.56"),
    ("rest", Tcp, "10.9.0.111", &[], L2, "10.9.1.57"),
    ("range6", Tcp, "fd09::110", &[(8000, 8100), (22, 22)], L2, "fd09:1::52"),
    ("nat-range", Tcp, "10.9.0.112", &[(8000, 8100), (80, 80), (443, 443)], Nat, "10.9.1.58"),
    ("nat-hole", Tcp, "10.9.0.112", &[(8050, 8050)], L2, "10.9.1.59"),
    ("nat-single", Tcp, "10.9.0.113", &[(9000, 9000)], Nat, "10.9.1.58"),
    ("nat6-range", Udp, "fd09::112", &[(8000, 8100)], Nat, "fd09:1::58"),
];

fn ports(spans: &[(u16, u16)]) -> Ports {
    Ports::new(spans.iter().map(|&(first, last)| PortSpan { first, last }).collect())
}

fn with_ranges(setup: &mut Setup) {
    for &(name, protocol, address, spans, delivery, backend) in SERVICES {
        let address = address.parse::<std::net::IpAddr>().expect("an address").into();
        setup.add(service(name, protocol, address, ports(spans), delivery, &[(backend, 0)]));
    }
}

fn to(address: &str, port: u16) -> Packet {
    let client = if address.contains(':') { CLIENT6 } else { CLIENT };
    Packet::ip(client, address).tcp(40000, port).ack()
}

fn case(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("ports: {name}"), packet).with(with_ranges)
}

/// A segment to a service that goes to its only backend, which is on the back network.
fn forwarded(name: &'static str, address: &str, port: u16) -> Case {
    let (_, _, _, _, _, backend) = SERVICES.iter().find(|line| line.0 == name).expect("a service");
    case(&format!("{address} port {port} is {name}'s"), to(address, port))
        .redirects(BACK, backend, to(address, port).ttl(63))
        .counts(name, backend)
}

fn passes(address: &str, port: u16) -> Case {
    case(&format!("{address} port {port} is nobody's"), to(address, port))
}

fn ranges() -> Vec<Case> {
    let udp = |port, ttl| Packet::v4(CLIENT, "10.9.0.110").ttl(ttl).udp(40000, port);
    vec![
        forwarded("low", "10.9.0.110", 8000),
        forwarded("low", "10.9.0.110", 8049),
        forwarded("exact", "10.9.0.110", 8050),
        forwarded("low", "10.9.0.110", 8051),
        forwarded("low", "10.9.0.110", 8100),
        passes("10.9.0.110", 7999),
        passes("10.9.0.110", 8101),
        forwarded("high", "10.9.0.110", 60000),
        forwarded("high", "10.9.0.110", 65535),
        passes("10.9.0.110", 59999),
        passes("10.9.0.110", 0),
        forwarded("range6", "fd09::110", 8000),
        forwarded("range6", "fd09::110", 8100),
        forwarded("range6", "fd09::110", 22),
        passes("fd09::110", 8101),
        case("a range of UDP", udp(8100, 64))
            .redirects(BACK, "10.9.1.55", super::ipip::outer4("10.9.1.1", "10.9.1.55").carrying(&udp(8100, 63)))
            .counts("udp", "10.9.1.55"),
        case("a range of UDP ends", udp(8101, 64)),
        case("a range of TCP does not take UDP", udp(60000, 64)),
        forwarded("range", "10.9.0.111", 8000),
        forwarded("range", "10.9.0.111", 8100),
        forwarded("rest", "10.9.0.111", 7999),
        forwarded("rest", "10.9.0.111", 8101),
        forwarded("rest", "10.9.0.111", 65535),
        forwarded("rest", "10.9.0.111", 0),
    ]
}

fn lists() -> Vec<Case> {
    let opening = |ttl| Packet::v4(CLIENT, "10.9.0.110").ttl(ttl).tcp(40000, 443).syn();
    vec![
        forwarded("list", "10.9.0.110", 80),
        forwarded("list", "10.9.0.110", 443),
        forwarded("list", "10.9.0.110", 7000),
        forwarded("list", "10.9.0.110", 7001),
        passes("10.9.0.110", 7002),
        passes("10.9.0.110", 81),
        case("a list opens flows of one service", opening(64))
            .redirects(BACK, "10.9.1.54", opening(63))
            .counts("list", "10.9.1.54")
            .opens_flow(),
    ]
}

/// Twenty ranges of services of their own: as many as there is room for.
fn crowded(setup: &mut Setup) {
    for number in 0..20u16 {
        let span = (1000 + 10 * number, 1004 + 10 * number);
        let (name, backend) = (format!("crowd{number}"), format!("10.9.1.{}", 100 + number));
        let address = "10.9.0.114/32".parse().expect("a prefix");
        setup.add(service(&name, Tcp, address, ports(&[span]), L2, &[(&backend, 0)]));
    }
}

fn edges() -> Vec<Case> {
    let crowd = |port, service: &'static str, backend: &'static str| {
        Case::new(format!("ports: of twenty ranges, {port} is {service}'s"), to("10.9.0.114", port))
            .with(crowded)
            .redirects(BACK, backend, to("10.9.0.114", port).ttl(63))
            .counts(service, backend)
    };
    let nobody =
        |port| Case::new(format!("ports: of twenty ranges, {port} is nobody's"), to("10.9.0.114", port)).with(crowded);
    let all = |setup: &mut Setup| {
        let address = "10.9.0.115/32".parse().expect("a prefix");
        setup.add(service("all", Tcp, address, ports(&[(1, 65535)]), L2, &[("10.9.1.51", 0)]));
    };
    let empty = |setup: &mut Setup| {
        let address = "10.9.0.115/32".parse().expect("a prefix");
        setup.add(service("none", Tcp, address, ports(&[(80, 90)]), L2, &[]));
    };
    vec![
        crowd(1000, "crowd0", "10.9.1.100"),
        crowd(1044, "crowd4", "10.9.1.104"),
        crowd(1050, "crowd5", "10.9.1.105"),
        crowd(1190, "crowd19", "10.9.1.119"),
        crowd(1194, "crowd19", "10.9.1.119"),
        nobody(999),
        nobody(1045),
        nobody(1195),
        Case::new("ports: a range of all ports has port 1", to("10.9.0.115", 1))
            .with(all)
            .redirects(BACK, "10.9.1.51", to("10.9.0.115", 1).ttl(63))
            .counts("all", "10.9.1.51"),
        Case::new("ports: a range of all ports is not any port: port 0 passes", to("10.9.0.115", 0)).with(all),
        Case::new("ports: a range without backends", to("10.9.0.115", 85))
            .with(empty)
            .drops(NoBackend)
            .counts_service("none"),
    ]
}

fn addresses() -> Vec<Case> {
    let echo = |address: &str| {
        let client = if address.contains(':') { CLIENT6 } else { CLIENT };
        case(&format!("{address} answers echo requests"), Packet::ip(client, address).echo_request(7))
            .answers(Packet::ip(address, client).echo_reply(7).ttl(64))
    };
    vec![
        echo("10.9.0.110"),
        echo("fd09::110"),
        case("a malformed packet to an address with ranges", to("10.9.0.110", 8000).claimed_bytes(1000))
            .drops(MalformedIp),
        case("a cut segment to an address with ranges", to("10.9.0.110", 8000).cut(50)).drops(MalformedIp),
        case("a segment whose header is too short", to("10.9.0.110", 8000).set(46, &[0x40])).drops(MalformedTransport),
        case("a later fragment to an address with ranges", {
            let [_, later] = Packet::v4(CLIENT, "10.9.0.110").udp(1, 8000).payload(&[0; 32]).fragments(16);
            later
        })
        .drops(FragmentUnknown),
    ]
}

fn nat_requests() -> Vec<Case> {
    let request = |port| {
        case(&format!("`nat` keeps port {port}"), to("10.9.0.112", port))
            .redirects(BACK, "10.9.1.58", to("10.9.1.58", port).ttl(63))
            .counts("nat-range", "10.9.1.58")
    };
    let udp = |address, ttl| Packet::v6(CLIENT6, address).ttl(ttl).udp(40000, 8077).payload(b"ask");
    vec![
        request(8000),
        request(8100),
        request(80),
        request(443),
        forwarded("nat-hole", "10.9.0.112", 8050),
        case("`nat` keeps the port over IPv6", udp("fd09::112", 64))
            .redirects(BACK, "fd09:1::58", udp("fd09:1::58", 63))
            .counts("nat6-range", "fd09:1::58"),
    ]
}

fn nat_replies() -> Vec<Case> {
    let from = |source: &str, port| Packet::v4(source, CLIENT).tcp(port, 40000).ack().payload(b"odd");
    let translated = |service: &str, port| {
        case(&format!("a reply from port {port} is {service}'s"), from("10.9.1.58", port)).from(BACK).redirects(
            FRONT,
            CLIENT,
            from(service, port).ttl(63),
        )
    };
    let untouched = |port| case(&format!("a reply from port {port} passes"), from("10.9.1.58", port)).from(BACK);
    let udp = |source, port, ttl| Packet::v6(source, CLIENT6).ttl(ttl).udp(port, 5000).payload(b"answer");
    vec![
        translated("10.9.0.112", 8000),
        translated("10.9.0.112", 8100),
        translated("10.9.0.112", 80),
        translated("10.9.0.112", 443),
        translated("10.9.0.113", 9000),
        untouched(7999),
        untouched(8101),
        untouched(22),
        // The service's port 8050 is another's, whose backend this is not.
        untouched(8050),
        case("a reply of a range over IPv6", udp("fd09:1::58", 8077, 64)).from(BACK).redirects(
            FRONT,
            CLIENT6,
            udp("fd09::112", 8077, 63),
        ),
        case("a datagram from outside of the range passes", udp("fd09:1::58", 8101, 64)).from(BACK),
    ]
}
