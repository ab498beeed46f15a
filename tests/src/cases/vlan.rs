//! A trunk: the way to a backend leads out of a VLAN interface, and packets leave by the one below with its tag.

use lb_common::DropReason::NoHeadroom;

use super::{
    Case,
    gue::source_port,
    ipip::{hash, outer4},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, Setup},
};

const VLAN: u16 = 100;

/// The only backend of a service is in the VLAN.
fn in_vlan(service: &'static str) -> impl Fn(&mut Setup) {
    move |setup| setup.hop(service).vlan = Some(VLAN)
}

/// A name for what a packet comes with, and how it gets that.
type Arrival = (&'static str, fn(Packet) -> Packet);

const ARRIVALS: [Arrival; 4] = [
    ("no tag", |packet| packet),
    ("another tag", |packet| packet.tagged(0xe007)),
    ("the same tag", |packet| packet.tagged(VLAN)),
    ("two tags", |packet| packet.service_tagged(6).tagged(7)),
];

fn case(name: &str, service: &'static str, packet: Packet) -> Case {
    Case::new(format!("vlan: {name}"), packet).with(in_vlan(service))
}

fn l2() -> Vec<Case> {
    let web = |ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 80).ack().payload(b"GET /");
    let any = |ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 8443).ack().payload(b"hello");
    let cases = ARRIVALS.iter().flat_map(|(name, tag)| {
        [
            case(&format!("l2 with {name} out of the same interface"), "web", tag(web(64)))
                .transmits("10.9.0.11", web(63).tagged(VLAN))
                .counts("web", "10.9.0.11"),
            case(&format!("l2 with {name} out of another interface"), "web-any", tag(any(64)))
                .redirects(BACK, "10.9.1.12", any(63).tagged(VLAN))
                .counts("web-any", "10.9.1.12"),
        ]
    });
    let mut cases: Vec<Case> = cases.collect();
    cases.push(
        case("a tag needs headroom", "web", web(64))
            .headroom(2)
            .host_only("the kernel leaves every test run more headroom than any delivery needs")
            .drops(NoHeadroom)
            .counts("web", "10.9.0.11"),
    );
    cases.push(
        case("the highest VLAN", "web", web(64))
            .with(|setup| setup.hop("web").vlan = Some(4094))
            .transmits("10.9.0.11", web(63).tagged(4094))
            .counts("web", "10.9.0.11"),
    );
    cases
}

fn encapsulated() -> Vec<Case> {
    let ipip = |ttl| Packet::v4(CLIENT, "10.9.0.102").ttl(ttl).tcp(40000, 81).ack();
    let gue = |ttl| Packet::v4(CLIENT, "10.9.0.160").ttl(ttl).tcp(40000, 81).ack();
    let gue6 = |ttl| Packet::v6(CLIENT6, "fd09::160").ttl(ttl).tcp(40000, 80).ack();
    let (port, port6) =
        (source_port(hash(CLIENT, "10.9.0.160", 81, 6)), source_port(hash(CLIENT6, "fd09::160", 80, 6)));
    let cases = ARRIVALS.iter().flat_map(|(name, tag)| {
        [
            case(&format!("ipip with {name}"), "4in4-near", tag(ipip(64)))
                .transmits("10.9.0.31", outer4("10.9.0.1", "10.9.0.31").carrying(&ipip(63)).tagged(VLAN))
                .counts("4in4-near", "10.9.0.31"),
            case(&format!("gue with {name}"), "gue-near", tag(gue(64)))
                .transmits("10.9.0.161", outer4("10.9.0.1", "10.9.0.161").gue(port, 6080, &gue(63)).tagged(VLAN))
                .counts("gue-near", "10.9.0.161"),
            case(&format!("gue of IPv6 with {name} out of another interface"), "gue-6in4", tag(gue6(64)))
                .redirects(
                    BACK,
                    "10.9.1.164",
                    outer4("10.9.1.1", "10.9.1.164").gue(port6, 6080, &gue6(63)).tagged(VLAN),
                )
                .counts("gue-6in4", "10.9.1.164"),
        ]
    });
    cases.collect()
}

fn nat() -> Vec<Case> {
    let request = |ttl, address: &str, port| Packet::v4(CLIENT, address).ttl(ttl).tcp(40000, port).ack();
    let cases = ARRIVALS.iter().map(|(name, tag)| {
        case(&format!("nat with {name}"), "nat", tag(request(64, "10.9.0.105", 80)))
            .redirects(BACK, "10.9.1.41", request(63, "10.9.1.41", 8080).tagged(VLAN))
            .counts("nat", "10.9.1.41")
    });
    cases.collect()
}

pub(super) fn cases() -> Vec<Case> {
    [l2(), encapsulated(), nat()].concat()
}
