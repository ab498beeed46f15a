//! Services of whole prefixes: the exact address first, then the longest prefix.

use lb_common::{
    DropReason::{FragmentUnknown, MalformedIp},
    Flow, HashKey,
};
use lb_userspace::model::{
    Delivery::{Ipip, L2},
    Protocol::{Tcp, Udp},
    SanityCheck,
};

use super::{
    Case,
    lines::{Line, Lines, to},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, SECRET, Setup, World, service},
};

pub(super) fn cases() -> Vec<Case> {
    [lengths(), lengths6(), ports(), addresses(), steering()].concat()
}

/// Four lengths in each family.
const SERVICES: Lines = Lines { subject: "prefixes", lines: LINES };

const LINES: &[Line] = &[
    ("net24", Tcp, "10.20.0.0/24", &[(80, 80)], L2, "10.9.1.61"),
    ("net25", Tcp, "10.20.0.128/25", &[(80, 80)], L2, "10.9.1.62"),
    ("host", Tcp, "10.20.0.200/32", &[(80, 80)], L2, "10.9.1.63"),
    ("net16", Tcp, "10.20.0.0/16", &[], L2, "10.9.1.64"),
    ("range24", Tcp, "10.20.0.0/24", &[(8000, 8100)], L2, "10.9.1.65"),
    ("pair", Udp, "10.21.0.2/31", &[(53, 53)], Ipip, "10.9.1.66"),
    ("net64", Tcp, "fd20::/64", &[(80, 80)], L2, "fd09:1::61"),
    ("net48", Tcp, "fd20::/48", &[(80, 80)], L2, "fd09:1::62"),
    ("net72", Tcp, "fd20:0:0:0:ff00::/72", &[(80, 80)], L2, "fd09:1::63"),
    ("net127", Tcp, "fd20::2/127", &[(80, 80)], L2, "fd09:1::64"),
];

fn lengths() -> Vec<Case> {
    let dns = |address: &str, ttl| Packet::v4(CLIENT, address).ttl(ttl).udp(40000, 53);
    let pair = |address: &str| {
        SERVICES
            .case(&format!("{address} is the pair's"), dns(address, 64))
            .redirects(BACK, "10.9.1.66", super::ipip::outer4("10.9.1.1", "10.9.1.66").carrying(&dns(address, 63)))
            .counts("pair", "10.9.1.66")
    };
    vec![
        SERVICES.forwarded("net24", "10.20.0.0", 80),
        SERVICES.forwarded("net24", "10.20.0.127", 80),
        SERVICES.forwarded("net25", "10.20.0.128", 80),
        SERVICES.forwarded("net25", "10.20.0.199", 80),
        SERVICES.forwarded("host", "10.20.0.200", 80),
        SERVICES.forwarded("net25", "10.20.0.201", 80),
        SERVICES.forwarded("net25", "10.20.0.255", 80),
        SERVICES.forwarded("net16", "10.20.1.0", 80),
        SERVICES.forwarded("net16", "10.20.255.255", 80),
        SERVICES.passes("10.19.255.255", 80),
        SERVICES.passes("10.21.0.0", 80),
        pair("10.21.0.2"),
        pair("10.21.0.3"),
        SERVICES.case("10.21.0.1 is before the pair", dns("10.21.0.1", 64)),
        SERVICES.case("10.21.0.4 is behind the pair", dns("10.21.0.4", 64)),
    ]
}

fn lengths6() -> Vec<Case> {
    vec![
        SERVICES.forwarded("net64", "fd20::", 80),
        SERVICES.forwarded("net64", "fd20::1", 80),
        SERVICES.forwarded("net127", "fd20::2", 80),
        SERVICES.forwarded("net127", "fd20::3", 80),
        SERVICES.forwarded("net64", "fd20::4", 80),
        SERVICES.forwarded("net72", "fd20::ff00:0:0:0", 80),
        SERVICES.forwarded("net72", "fd20::ffff:ffff:ffff:ffff", 80),
        SERVICES.forwarded("net64", "fd20::fe00:0:0:0", 80),
        SERVICES.forwarded("net48", "fd20:0:0:1::", 80),
        SERVICES.forwarded("net48", "fd20:0:0:ffff:ffff:ffff:ffff:ffff", 80),
        SERVICES.passes("fd20:0:1::", 80),
        SERVICES.passes("fd1f:ffff:ffff:ffff::", 80),
        SERVICES.passes("fd20::1", 81),
    ]
}

fn ports() -> Vec<Case> {
    vec![
        SERVICES.forwarded("range24", "10.20.0.5", 8000),
        SERVICES.forwarded("range24", "10.20.0.250", 8100),
        // What the longer prefix, or the exact address, does not have is the shorter one's.
        SERVICES.forwarded("net16", "10.20.0.5", 8101),
        SERVICES.forwarded("net16", "10.20.0.200", 443),
        SERVICES.forwarded("net16", "10.20.0.130", 0).with(super::sanity::node(SanityCheck::PortZero, false)),
        SERVICES.case("a prefix of TCP does not take UDP", Packet::v4(CLIENT, "10.20.0.5").udp(40000, 80)),
        SERVICES
            .case("a service without a prefix is found as ever", to("10.9.0.100", 80))
            .transmits("10.9.0.11", to("10.9.0.100", 80).ttl(63))
            .counts("web", "10.9.0.11"),
    ]
}

fn addresses() -> Vec<Case> {
    let echo = |address: &str| {
        let client = if address.contains(':') { CLIENT6 } else { CLIENT };
        SERVICES
            .case(&format!("{address} answers echo requests"), Packet::ip(client, address).echo_request(7))
            .answers(Packet::ip(address, client).echo_reply(7).ttl(64))
    };
    let silent = |address: &str| {
        let client = if address.contains(':') { CLIENT6 } else { CLIENT };
        SERVICES.case(&format!("an echo request to {address} passes"), Packet::ip(client, address).echo_request(7))
    };
    vec![
        echo("10.20.0.0"),
        echo("10.20.0.200"),
        echo("10.20.255.255"),
        echo("10.21.0.3"),
        echo("fd20::1:2:3:4"),
        echo("fd20:0:0:ffff::1"),
        silent("10.21.0.4"),
        silent("fd20:0:1::1"),
        SERVICES.case("a malformed packet to a prefix", to("10.20.7.7", 80).claimed_bytes(1000)).drops(MalformedIp),
        SERVICES.case("a malformed packet behind a prefix passes", to("10.21.7.7", 80).claimed_bytes(1000)),
        SERVICES
            .case("a later fragment to a prefix", {
                let [_, later] = Packet::v4(CLIENT, "10.20.7.7").udp(1, 53).payload(&[0; 64]).fragments(48);
                later
            })
            .drops(FragmentUnknown),
    ]
}

const SPREAD: [&str; 3] = ["10.9.1.71", "10.9.1.72", "10.9.1.73"];

fn with_spread(setup: &mut Setup) {
    let address = "10.22.0.0/24".parse().expect("a prefix");
    setup.add(service("spread24", Tcp, address, 80.into(), L2, &SPREAD.map(|backend| (backend, 0))));
}

/// The hash has the address that the client sent to: the same client and port reach other backends at other addresses.
fn steering() -> Vec<Case> {
    let mut setup = Setup::default();
    with_spread(&mut setup);
    let world = World::new(&setup);
    let value = world.snapshot.service(world.service_ids["spread24"]).expect("the service");
    let ring = &world.snapshot.rings[&value.ring.into()];
    let case = |host: u8| {
        let destination = std::net::Ipv4Addr::new(10, 22, 0, host);
        let source = CLIENT.parse::<std::net::Ipv4Addr>().expect("an address").into();
        let flow =
            Flow { source, destination: destination.into(), source_port: 40000, destination_port: 80, protocol: 6 };
        // The top ten bits of the hash are the row of a ring of 1024.
        let row = ring[(flow.hash(&HashKey::expand(SECRET)) >> 54) as usize];
        let backend = SPREAD.into_iter().find(|backend| world.slot("spread24", backend) == row.current());
        let backend = backend.expect("a backend of the row");
        let packet = to(&destination.to_string(), 80);
        Case::new(format!("prefixes: {destination} is steered by its own hash"), packet.clone())
            .with(with_spread)
            .redirects(BACK, backend, packet.ttl(63))
            .counts("spread24", backend)
    };
    (0..6).map(case).collect()
}
