//! Ranges and lists of ports: the exact port first, then the ranges, then any port.

use lb_common::DropReason::{FragmentUnknown, MalformedIp, MalformedTransport, NoBackend};
use lb_userspace::model::{
    Delivery::{Ipip, L2, Nat},
    Protocol::{Tcp, Udp},
    SanityCheck,
};

use super::{
    Case,
    lines::{Line, Lines, ports, to},
};
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, FRONT, Setup, service},
};

pub(super) fn cases() -> Vec<Case> {
    [ranges(), lists(), edges(), addresses(), nat_requests(), nat_replies()].concat()
}

/// Services with ranges.
const SERVICES: Lines = Lines { subject: "ports", lines: LINES };

const LINES: &[Line] = &[
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

fn ranges() -> Vec<Case> {
    let udp = |port, ttl| Packet::v4(CLIENT, "10.9.0.110").ttl(ttl).udp(40000, port);
    vec![
        SERVICES.forwarded("low", "10.9.0.110", 8000),
        SERVICES.forwarded("low", "10.9.0.110", 8049),
        SERVICES.forwarded("exact", "10.9.0.110", 8050),
        SERVICES.forwarded("low", "10.9.0.110", 8051),
        SERVICES.forwarded("low", "10.9.0.110", 8100),
        SERVICES.passes("10.9.0.110", 7999),
        SERVICES.passes("10.9.0.110", 8101),
        SERVICES.forwarded("high", "10.9.0.110", 60000),
        SERVICES.forwarded("high", "10.9.0.110", 65535),
        SERVICES.passes("10.9.0.110", 59999),
        SERVICES.passes("10.9.0.110", 0),
        SERVICES.forwarded("range6", "fd09::110", 8000),
        SERVICES.forwarded("range6", "fd09::110", 8100),
        SERVICES.forwarded("range6", "fd09::110", 22),
        SERVICES.passes("fd09::110", 8101),
        SERVICES
            .case("a range of UDP", udp(8100, 64))
            .redirects(BACK, "10.9.1.55", super::ipip::outer4("10.9.1.1", "10.9.1.55").carrying(&udp(8100, 63)))
            .counts("udp", "10.9.1.55"),
        SERVICES.case("a range of UDP ends", udp(8101, 64)),
        SERVICES.case("a range of TCP does not take UDP", udp(60000, 64)),
        SERVICES.forwarded("range", "10.9.0.111", 8000),
        SERVICES.forwarded("range", "10.9.0.111", 8100),
        SERVICES.forwarded("rest", "10.9.0.111", 7999),
        SERVICES.forwarded("rest", "10.9.0.111", 8101),
        SERVICES.forwarded("rest", "10.9.0.111", 65535),
        SERVICES.forwarded("rest", "10.9.0.111", 0).with(super::sanity::node(SanityCheck::PortZero, false)),
    ]
}

fn lists() -> Vec<Case> {
    let opening = |ttl| Packet::v4(CLIENT, "10.9.0.110").ttl(ttl).tcp(40000, 443).syn();
    vec![
        SERVICES.forwarded("list", "10.9.0.110", 80),
        SERVICES.forwarded("list", "10.9.0.110", 443),
        SERVICES.forwarded("list", "10.9.0.110", 7000),
        SERVICES.forwarded("list", "10.9.0.110", 7001),
        SERVICES.passes("10.9.0.110", 7002),
        SERVICES.passes("10.9.0.110", 81),
        SERVICES
            .case("a list opens flows of one service", opening(64))
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
        SERVICES
            .case(&format!("{address} answers echo requests"), Packet::ip(client, address).echo_request(7))
            .answers(Packet::ip(address, client).echo_reply(7).ttl(64))
    };
    vec![
        echo("10.9.0.110"),
        echo("fd09::110"),
        SERVICES
            .case("a malformed packet to an address with ranges", to("10.9.0.110", 8000).claimed_bytes(1000))
            .drops(MalformedIp),
        SERVICES.case("a cut segment to an address with ranges", to("10.9.0.110", 8000).cut(50)).drops(MalformedIp),
        SERVICES
            .case("a segment whose header is too short", to("10.9.0.110", 8000).set(46, &[0x40]))
            .drops(MalformedTransport),
        SERVICES
            .case("a later fragment to an address with ranges", {
                let [_, later] = Packet::v4(CLIENT, "10.9.0.110").udp(1, 8000).payload(&[0; 64]).fragments(48);
                later
            })
            .drops(FragmentUnknown),
    ]
}

fn nat_requests() -> Vec<Case> {
    let request = |port| {
        SERVICES
            .case(&format!("`nat` keeps port {port}"), to("10.9.0.112", port))
            .redirects(BACK, "10.9.1.58", to("10.9.1.58", port).ttl(63))
            .counts("nat-range", "10.9.1.58")
    };
    let udp = |address, ttl| Packet::v6(CLIENT6, address).ttl(ttl).udp(40000, 8077).payload(b"ask");
    vec![
        request(8000),
        request(8100),
        request(80),
        request(443),
        SERVICES.forwarded("nat-hole", "10.9.0.112", 8050),
        SERVICES
            .case("`nat` keeps the port over IPv6", udp("fd09::112", 64))
            .redirects(BACK, "fd09:1::58", udp("fd09:1::58", 63))
            .counts("nat6-range", "fd09:1::58"),
    ]
}

fn nat_replies() -> Vec<Case> {
    let from = |source: &str, port| Packet::v4(source, CLIENT).tcp(port, 40000).ack().payload(b"odd");
    let translated = |service: &str, port| {
        SERVICES
            .case(&format!("a reply from port {port} is {service}'s"), from("10.9.1.58", port))
            .from(BACK)
            .redirects(FRONT, CLIENT, from(service, port).ttl(63))
    };
    let untouched =
        |port| SERVICES.case(&format!("a reply from port {port} passes"), from("10.9.1.58", port)).from(BACK);
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
        SERVICES.case("a reply of a range over IPv6", udp("fd09:1::58", 8077, 64)).from(BACK).redirects(
            FRONT,
            CLIENT6,
            udp("fd09::112", 8077, 63),
        ),
        SERVICES.case("a datagram from outside of the range passes", udp("fd09:1::58", 8101, 64)).from(BACK),
    ]
}
