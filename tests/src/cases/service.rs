//! Which service a packet is for, and which backend of it.

use lb_common::{DropReason::NoBackend, Flow, HashKey};
use lb_userspace::model::{AdminState, SanityCheck};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, SECRET, Setup, World},
};

pub(super) fn cases() -> Vec<Case> {
    [ports(), steering(), without_backends()].concat()
}

fn ports() -> Vec<Case> {
    let to = |port, ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, port).ack();
    let any = |name, port| {
        Case::new(name, to(port, 64)).redirects(BACK, "10.9.1.12", to(port, 63)).counts("web-any", "10.9.1.12")
    };
    vec![
        Case::new("service: the exact port wins over any port", to(80, 64))
            .transmits("10.9.0.11", to(80, 63))
            .counts("web", "10.9.0.11"),
        any("service: any port takes the others", 81),
        any("service: any port takes the largest", 65535),
        any("service: any port takes port 0", 0).with(super::sanity::node(SanityCheck::PortZero, false)),
        Case::new("service: any port of TCP does not take UDP", Packet::v4(CLIENT, "10.9.0.100").udp(40000, 80)),
        Case::new("service: the source port does not make a service", Packet::v4(CLIENT, "10.9.0.200").tcp(80, 80)),
        Case::new("service: a port that is no service's passes", Packet::v4(CLIENT, "10.9.0.101").tcp(40000, 81).syn()),
        Case::new(
            "service: an address that is no service's passes",
            Packet::v4(CLIENT, "10.9.0.99").tcp(40000, 80).syn(),
        ),
        Case::new("service: an IPv6 port that is no service's passes", {
            Packet::v6("fd09::7", "fd09::100").tcp(40000, 443).syn()
        }),
        Case::new("service: from a service to a client passes", Packet::v4("10.9.0.100", CLIENT).tcp(80, 40000).ack()),
    ]
}

/// The backend that a client's port is steered to, from the hash and the ring alone.
fn steered(world: &World, source_port: u16) -> &'static str {
    let flow = Flow {
        source: CLIENT.parse::<std::net::Ipv4Addr>().expect("an address").into(),
        destination: std::net::Ipv4Addr::new(10, 9, 0, 101).into(),
        source_port,
        destination_port: 80,
        protocol: 6,
    };
    let service = world
        .snapshot
        .services
        .values()
        .find(|service| u32::from(service.id) == world.service_ids["spread"] && service.flags == 0);
    let ring = &world.snapshot.rings[&service.expect("the service").ring.into()];
    // The top ten bits of the hash are the row of a ring of 1024.
    let row = ring[(flow.hash(&HashKey::expand(SECRET)) >> 54) as usize];
    let backends = ["10.9.1.21", "10.9.1.22", "10.9.1.23"];
    backends.into_iter().find(|backend| world.slot("spread", backend) == row.current()).expect("a backend of the row")
}

fn steering() -> Vec<Case> {
    let world = World::new(&Setup::default());
    let packet = |port, ttl| Packet::v4(CLIENT, "10.9.0.101").ttl(ttl).tcp(port, 80).syn();
    let case = |port: u16| {
        let backend = steered(&world, port);
        Case::new(format!("service: port {port} is steered to its row's backend"), packet(port, 64))
            .redirects(BACK, backend, packet(port, 63))
            .counts("spread", backend)
            .opens_flow()
    };
    (40000..40008).map(case).collect()
}

fn without_backends() -> Vec<Case> {
    let packet = |ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 80).syn();
    let web = |name: &str, change: fn(&mut Setup)| Case::new(format!("service: {name}"), packet(64)).with(change);
    let nobody = |name, change| web(name, change).drops(NoBackend).counts_service("web").opens_flow();
    vec![
        Case::new("service: no backends at all", Packet::v4(CLIENT, "10.9.0.107").tcp(40000, 80).ack())
            .drops(NoBackend)
            .counts_service("empty"),
        nobody("a disabled backend", |setup| setup.service("web").backends[0].state = AdminState::Disabled),
        nobody("a draining backend", |setup| setup.service("web").backends[0].state = AdminState::Drain),
        nobody("a backend without weight", |setup| setup.service("web").backends[0].weight = 0),
        nobody("a backend that is down", |setup| setup.down.extend(["10.9.0.11".to_owned()])),
        web("a backend of little weight is enough", |setup| setup.service("web").backends[0].weight = 1)
            .transmits("10.9.0.11", packet(63))
            .counts("web", "10.9.0.11")
            .opens_flow(),
    ]
}
