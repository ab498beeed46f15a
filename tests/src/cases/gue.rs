//! Delivery `gue`: an outer IP header of the backend's family, a UDP and a GUE header in front of the client's packet.

use super::{
    Case,
    ipip::{hash, outer4},
    too_big::answer,
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT},
};

const PORT: u16 = 6080;
const WEB: u16 = 80;
const DNS: u16 = 53;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Behind 49152 stand 14 bits of the flow's hash.
pub(super) fn source_port(hash: u64) -> u16 {
    49152 + (hash % 16384) as u16
}

/// One family combination: the service, its address and its backend.
struct Tunnel {
    service: &'static str,
    dns: &'static str,
    client: &'static str,
    address: &'static str,
    backend: &'static str,
}

const TUNNELS: [Tunnel; 4] = [
    Tunnel::new("gue-4in4", "gue-4in4-dns", CLIENT, "10.9.0.160", "10.9.1.161"),
    Tunnel::new("gue-4in6", "gue-4in6-dns", CLIENT, "10.9.0.161", "fd09:1::163"),
    Tunnel::new("gue-6in4", "gue-6in4-dns", CLIENT6, "fd09::160", "10.9.1.164"),
    Tunnel::new("gue-6in6", "gue-6in6-dns", CLIENT6, "fd09::161", "fd09:1::165"),
];

impl Tunnel {
    const fn new(
        service: &'static str,
        dns: &'static str,
        client: &'static str,
        address: &'static str,
        backend: &'static str,
    ) -> Self {
        Self { service, dns, client, address, backend }
    }

    fn inner_is_v4(&self) -> bool {
        self.client == CLIENT
    }

    /// The outer headers around a packet of a flow.
    fn outer(&self, (protocol, port): (u8, u16), inner: &Packet, class: u8) -> Packet {
        let hash = hash(self.client, self.address, port, protocol);
        let outer = match self.backend.contains(':') {
            true => Packet::v6("fd09:1::1", self.backend).flow_label(hash as u32 & 0xf_ffff),
            false => outer4("10.9.1.1", self.backend),
        };
        outer.traffic_class(class).gue(source_port(hash), PORT, inner)
    }

    fn web(&self, ttl: u8, bytes: usize) -> Packet {
        Packet::ip(self.client, self.address).ttl(ttl).tcp(40000, WEB).ack().payload(&vec![7; bytes])
    }

    fn dns(&self, ttl: u8, bytes: usize) -> Packet {
        Packet::ip(self.client, self.address).ttl(ttl).udp(40000, DNS).payload(&vec![7; bytes])
    }

    fn web_case(&self, name: &str, packet: Packet, outer: Packet) -> Case {
        Case::new(format!("gue: {} {name}", self.service), packet)
            .redirects(BACK, self.backend, outer)
            .counts(self.service, self.backend)
    }

    fn dns_case(&self, name: &str, packet: Packet, outer: Packet) -> Case {
        Case::new(format!("gue: {} {name}", self.dns), packet)
            .redirects(BACK, self.backend, outer)
            .counts(self.dns, self.backend)
    }

    fn cases(&self) -> Vec<Case> {
        let web = |bytes| self.outer((TCP, WEB), &self.web(63, bytes), 0);
        let dns = |bytes| self.outer((UDP, DNS), &self.dns(63, bytes), 0);
        let outer_bytes = 12 + if self.backend.contains(':') { 40 } else { 20 };
        let headers = outer_bytes + 20 + if self.inner_is_v4() { 20 } else { 40 };
        let fitting = 1500 - headers;
        let class = 0xb9;
        let mut cases = vec![
            self.web_case("wraps a segment", self.web(64, 4), web(4)),
            self.web_case("wraps a segment of odd length", self.web(64, 5), web(5)),
            self.web_case("wraps a segment without data", self.web(64, 0), web(0)),
            self.dns_case("wraps a datagram", self.dns(64, 4), dns(4)),
            self.dns_case("wraps a datagram of odd length", self.dns(64, 5), dns(5)),
            self.web_case(
                "copies DSCP and ECN",
                self.web(64, 5).traffic_class(class),
                self.outer((TCP, WEB), &self.web(63, 5).traffic_class(class), class),
            ),
            self.web_case("fits exactly", self.web(64, fitting), web(fitting)),
            Case::new(format!("gue: {} is one byte too long", self.service), self.web(64, fitting + 1))
                .refuses(answer(&self.web(64, fitting + 1), self.address, self.client, 1500 - outer_bytes as u32))
                .counts(self.service, self.backend),
            self.web_case(
                "leaves padding out of its lengths",
                self.web(64, 0).padded(120),
                web(0).trailer(120 + outer_bytes - 14 - headers),
            ),
            self.web_case("leaves a tag behind", self.web(64, 5).tagged(7), web(5)),
            self.web_case("leaves two tags behind", self.web(64, 5).service_tagged(6).tagged(7), web(5)),
            self.syn(),
            self.other_port(),
        ];
        cases.extend(if self.inner_is_v4() { self.inner_v4() } else { self.inner_v6() });
        cases
    }

    fn syn(&self) -> Case {
        let syn = |ttl| Packet::ip(self.client, self.address).ttl(ttl).tcp(40000, WEB).syn().tcp_options(&[1; 8]);
        self.web_case("opens a flow", syn(64), self.outer((TCP, WEB), &syn(63), 0)).opens_flow()
    }

    fn other_port(&self) -> Case {
        let hash = hash(self.client, self.address, WEB, TCP);
        let outer = self.outer((TCP, WEB), &self.web(63, 5), 0).gue(source_port(hash), 5555, &self.web(63, 5));
        self.web_case("goes to another port", self.web(64, 5), outer)
            .with(|setup| setup.service(self.service).gue_port = 5555)
    }

    /// What the transport's checksum does not cover leaves the outer one out.
    fn inner_v4(&self) -> Vec<Case> {
        let options = |ttl| self.web(ttl, 5).options(&[1; 12]);
        let bare = |ttl| self.dns(ttl, 5).without_checksum();
        let short = |ttl| self.dns(ttl, 5).claimed_udp_bytes(10);
        let first = |ttl| self.dns(ttl, 60).fragments(48)[0].clone();
        let outer = |inner: &Packet| self.outer((UDP, DNS), inner, 0).without_checksum();
        vec![
            self.web_case("wraps options", options(64), self.outer((TCP, WEB), &options(63), 0)),
            self.dns_case("has no checksum if there is none inside", bare(64), outer(&bare(63))),
            self.dns_case("has no checksum around bytes behind a datagram", short(64), outer(&short(63))),
            self.dns_case("has no checksum around a fragment", first(64), outer(&first(63))),
        ]
    }

    fn inner_v6(&self) -> Vec<Case> {
        let labelled = |ttl| self.web(ttl, 5).flow_label(0xf_edcb);
        let extended = |ttl| self.web(ttl, 5).destination_options(1);
        let bare = |ttl| self.dns(ttl, 5).without_checksum();
        let short = |ttl| self.dns(ttl, 5).claimed_udp_bytes(10);
        let outer = |inner: &Packet| self.outer((UDP, DNS), inner, 0).without_checksum();
        vec![
            self.web_case("wraps a flow label", labelled(64), self.outer((TCP, WEB), &labelled(63), 0)),
            self.web_case(
                "has no checksum around extension headers",
                extended(64),
                self.outer((TCP, WEB), &extended(63), 0).without_checksum(),
            ),
            self.dns_case("has no checksum if there is none inside", bare(64), outer(&bare(63))),
            self.dns_case("has no checksum around bytes behind a datagram", short(64), outer(&short(63))),
        ]
    }
}

/// Through a backend on the interface of ingress.
fn near() -> Vec<Case> {
    let packet = |ttl| Packet::v4(CLIENT, "10.9.0.160").ttl(ttl).options(&[1; 8]).tcp(40000, 81).ack();
    let port = source_port(hash(CLIENT, "10.9.0.160", 81, TCP));
    let outer = |source| outer4(source, "10.9.0.161").gue(port, PORT, &packet(63));
    let case = |name: &str, tag: fn(Packet) -> Packet| {
        Case::new(format!("gue: {name}"), tag(packet(64)))
            .transmits("10.9.0.161", tag(outer("10.9.0.1")))
            .counts("gue-near", "10.9.0.161")
    };
    vec![
        case("out of the same interface, options and all", |packet| packet),
        case("one tag stays on the same interface", |packet| packet.tagged(0xe007)),
        case("two tags stay on the same interface", |packet| packet.service_tagged(6).tagged(7)),
        Case::new("gue: out of another interface", packet(64))
            .from(BACK)
            .redirects(FRONT, "10.9.0.161", outer("10.9.0.1"))
            .counts("gue-near", "10.9.0.161"),
        Case::new("gue: the operator's outer source", packet(64))
            .with(|setup| setup.model.node.source_v4 = Some([192, 0, 2, 1].into()))
            .transmits("10.9.0.161", outer("192.0.2.1"))
            .counts("gue-near", "10.9.0.161"),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = TUNNELS.iter().flat_map(Tunnel::cases).collect();
    cases.extend(near());
    cases
}
