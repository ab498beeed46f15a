//! Delivery `ipip`: an outer header of the backend's family in front of the client's packet.

use std::net::IpAddr;

use lb_common::{Flow, HashKey};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, SECRET},
};

/// The outer packet of an IPv4 tunnel: not to be fragmented, so that it needs no identification.
pub(super) fn outer4(source: &str, backend: &str) -> Packet {
    Packet::v4(source, backend).dont_fragment().identification(0)
}

/// The outer packet of an IPv6 tunnel, whose flow label is the low bits of the hash of the client's flow.
pub(super) fn outer6(backend: &str, client: &str, service: &str) -> Packet {
    Packet::v6("fd09:1::1", backend).flow_label(hash(client, service, 80, 6) as u32 & 0xf_ffff)
}

/// The hash of the flow from port 40000 of a client to a service.
pub(super) fn hash(client: &str, service: &str, port: u16, protocol: u8) -> u64 {
    let address = |text: &str| text.parse::<IpAddr>().expect("an address").into();
    let flow = Flow {
        source: address(client),
        destination: address(service),
        source_port: 40000,
        destination_port: port,
        protocol,
    };
    flow.hash(&HashKey::expand(SECRET))
}

fn inner(client: &str, service: &str, ttl: u8, bytes: usize) -> Packet {
    Packet::ip(client, service).ttl(ttl).tcp(40000, 80).ack().payload(&vec![7; bytes])
}

/// One family combination: the service, its address, its backend and the outer packet.
struct Tunnel {
    service: &'static str,
    client: &'static str,
    address: &'static str,
    backend: &'static str,
    outer: Packet,
    outer_bytes: usize,
}

fn tunnels() -> [Tunnel; 4] {
    let tunnel = |service, client, address, backend: &'static str| {
        let is_v4 = !backend.contains(':');
        let outer = if is_v4 { outer4("10.9.1.1", backend) } else { outer6(backend, client, address) };
        Tunnel { service, client, address, backend, outer, outer_bytes: if is_v4 { 20 } else { 40 } }
    };
    [
        tunnel("4in4", CLIENT, "10.9.0.102", "10.9.1.31"),
        tunnel("4in6", CLIENT, "10.9.0.103", "fd09:1::33"),
        tunnel("6in4", CLIENT6, "fd09::102", "10.9.1.34"),
        tunnel("6in6", CLIENT6, "fd09::103", "fd09:1::35"),
    ]
}

impl Tunnel {
    fn packet(&self, ttl: u8, bytes: usize) -> Packet {
        inner(self.client, self.address, ttl, bytes)
    }

    fn case(&self, name: &str, packet: Packet, outer: &Packet, inner: &Packet) -> Case {
        Case::new(format!("ipip: {} {name}", self.service), packet)
            .redirects(BACK, self.backend, outer.clone().carrying(inner))
            .counts(self.service, self.backend)
    }

    fn cases(&self) -> Vec<Case> {
        let headers = self.outer_bytes + 20 + if self.client == CLIENT { 20 } else { 40 };
        let fitting = 1500 - headers;
        let class = 0xb9;
        vec![
            self.case("wraps a packet", self.packet(64, 5), &self.outer, &self.packet(63, 5)),
            self.case(
                "copies DSCP and ECN",
                self.packet(64, 5).traffic_class(class),
                &self.outer.clone().traffic_class(class),
                &self.packet(63, 5).traffic_class(class),
            ),
            self.case("fits exactly", self.packet(64, fitting), &self.outer, &self.packet(63, fitting)),
            self.case(
                "leaves padding out of its lengths",
                self.packet(64, 0).padded(120),
                &self.outer.clone().trailer(120 + self.outer_bytes - 14 - headers),
                &self.packet(63, 0),
            ),
            self.case("leaves a tag behind", self.packet(64, 5).tagged(7), &self.outer, &self.packet(63, 5)),
            self.case(
                "leaves two tags behind",
                self.packet(64, 5).service_tagged(6).tagged(7),
                &self.outer,
                &self.packet(63, 5),
            ),
        ]
    }
}

/// Through a backend on the interface of ingress.
fn near() -> Vec<Case> {
    let packet = |ttl| Packet::v4(CLIENT, "10.9.0.102").ttl(ttl).options(&[1; 8]).tcp(40000, 81).ack();
    let case = |name: &str, tag: fn(Packet) -> Packet| {
        Case::new(format!("ipip: {name}"), tag(packet(64)))
            .transmits("10.9.0.31", tag(outer4("10.9.0.1", "10.9.0.31").carrying(&packet(63))))
            .counts("4in4-near", "10.9.0.31")
    };
    vec![
        case("out of the same interface, options and all", |packet| packet),
        case("one tag stays on the same interface", |packet| packet.tagged(0xe007)),
        case("two tags stay on the same interface", |packet| packet.service_tagged(6).tagged(7)),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = tunnels().iter().flat_map(Tunnel::cases).collect();
    cases.extend(near());
    let syn = |ttl| Packet::v4(CLIENT, "10.9.0.102").ttl(ttl).tcp(40000, 80).syn();
    cases.extend([
        Case::new("ipip: a SYN opens a flow", syn(64))
            .redirects(BACK, "10.9.1.31", outer4("10.9.1.1", "10.9.1.31").carrying(&syn(63)))
            .counts("4in4", "10.9.1.31")
            .opens_flow(),
        Case::new("ipip: the operator's outer source", syn(64))
            .with(|setup| setup.model.node.source_v4 = Some([192, 0, 2, 1].into()))
            .redirects(BACK, "10.9.1.31", outer4("192.0.2.1", "10.9.1.31").carrying(&syn(63)))
            .counts("4in4", "10.9.1.31")
            .opens_flow(),
    ]);
    cases
}
