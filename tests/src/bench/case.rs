//! The cases: a packet, the flows that it walks over, and the tables that it meets.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;
use lb_common::RowState;
use lb_userspace::{
    config::Document,
    model::{
        AdminState, Affinity, Backend, ConnectionIds, Delivery, Exceptions, Firewall, FullNat, Model, Node, PortSpan,
        Ports, Protocol, RingSettings, ServerId, Service, Syn, SynProtection, Track,
    },
};

use super::{
    node::source,
    packet::{Payload, Template, Walk},
};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name: `delivery/family/protocol/variant`, or the feature's name first.
    pub name: &'static str,
    /// A packet that is sent once before: it opens the session that the others belong to.
    pub opening: Option<Template>,
    /// The packet.
    pub template: Template,
    /// The flows that it walks over.
    pub walk: Walk,
    /// The service that there is.
    pub service: Endpoint,
    /// The entries of the deny list. If there are any, the floor is the same program without the list.
    pub entries: u32,
    /// Rules and limits of the firewall, as the configuration has them. If there are any, the floor is the same program without
    /// them.
    pub screen: String,
    /// The state of the service's rows. If they are unsettled, the flow table knows the flows that the packet walks over, as
    /// many as fit.
    pub rows: RowState,
    /// Somebody looks at drops.
    pub sampled: bool,
}

/// A service of the bench.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The family.
    pub is_v4: bool,
    /// How packets are brought to the backends.
    pub delivery: Delivery,
    /// The protocol.
    pub protocol: Protocol,
    /// The port; `None` is any port.
    pub port: Option<u16>,
    /// What else there is to it.
    pub kind: Kind,
}

/// What a service of the bench has beyond an address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// A range of ports; other services' ranges stand before it.
    Range,
    /// A prefix of addresses.
    Prefix,
    /// A list of sources that may use it.
    Restricted,
    /// Protected against floods of SYNs.
    Flooded,
    /// QUIC, its backends numbered by their server ids.
    Quic,
}

const PORT: u16 = 80;
/// The first of the ports that Linux gives to clients.
const CLIENT_PORT: u16 = 32768;
const BACKENDS: u32 = 100;
/// The only port that sessions have, so that it is known which one they get.
const NODE_PORT: u16 = 20_000;

/// The client behind the uplink; the walks begin there.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);

/// Sources of listed packets keep their low bits while they walk, so that a list's entries and the packets that miss it
/// lie side by side everywhere in the address space.
const LIST_STRIDE: u32 = 0x9e37_79b1 << 9;
const LISTED: u32 = 0x0a02_0101;
const UNLISTED: u32 = 0x0a02_0001;

impl Endpoint {
    const fn new(is_v4: bool, delivery: Delivery) -> Self {
        Self { is_v4, delivery, protocol: Protocol::Tcp, port: Some(PORT), kind: Kind::Plain }
    }

    fn address(&self) -> IpAddr {
        if self.is_v4 { [10, 0, 0, 100].into() } else { [0xfd00, 0, 0, 0, 0, 0, 0, 0x100].into() }
    }

    /// The address, or a prefix around it.
    fn network(&self) -> IpNet {
        let bits = if self.kind == Kind::Prefix {
            24
        } else if self.is_v4 {
            32
        } else {
            128
        };
        IpNet::new_assert(self.address(), bits).trunc()
    }

    /// The port, or ranges of which the one around it is the last.
    fn ports(&self) -> Ports {
        match (self.kind, self.port) {
            (Kind::Range, Some(port)) => {
                let before = (1..10).map(|number| PortSpan { first: 4 * number, last: 4 * number + 1 });
                Ports::new(before.chain([PortSpan { first: port, last: port + 100 }]).collect())
            }
            (_, port) => port.map_or(Ports::ANY, Ports::from),
        }
    }

    fn backend(&self, number: u32) -> IpAddr {
        if self.is_v4 {
            Ipv4Addr::from_bits(0x0a01_0000 + number).into()
        } else {
            Ipv6Addr::from_bits((0xfd00_0000_0000_0001 << 64) + u128::from(number)).into()
        }
    }

    fn client(&self) -> SocketAddr {
        let ip = if self.is_v4 { CLIENT.into() } else { [0xfd00, 0, 0, 2, 0, 0, 0, 1].into() };
        SocketAddr::new(ip, CLIENT_PORT)
    }

    fn service(&self) -> Service {
        let backend = |number| Backend {
            name: format!("backend-{number}"),
            address: self.backend(number),
            port: matches!(self.delivery, Delivery::Nat | Delivery::FullNat).then_some(8080),
            weight: Backend::DEFAULT_WEIGHT,
            state: AdminState::Up,
            drain_until: None,
            server_id: ServerId::from_hex(&format!("{number:04x}")).filter(|_| self.kind == Kind::Quic),
        };
        Service {
            name: "bench".to_owned(),
            address: self.network(),
            ports: self.ports(),
            protocol: self.protocol,
            delivery: self.delivery,
            gue_port: Service::DEFAULT_GUE_PORT,
            ring: RingSettings::default(),
            affinity: Affinity::default(),
            track: if self.delivery == Delivery::FullNat { Track::Never } else { Track::default() },
            slow_start: Duration::ZERO,
            quic: (self.kind == Kind::Quic).then_some(ConnectionIds { rotation: 0, server_id_bytes: 2 }),
            allow_from: if self.kind == Kind::Restricted { vec![IpNet::from(self.client().ip())] } else { Vec::new() },
            syn_protection: if self.kind == Kind::Flooded { SynProtection::Always } else { SynProtection::Off },
            sanity: Exceptions::new(),
            health: None,
            pool: None,
            // Whose answer it is must be known before a session is opened.
            backends: (1..=if self.delivery == Delivery::FullNat { 1 } else { BACKENDS }).map(backend).collect(),
        }
    }
}

impl Case {
    /// A client's packet to a service, one hot flow.
    fn new(name: &'static str, service: Endpoint) -> Self {
        let payload = if service.protocol == Protocol::Udp { Payload::Udp } else { Payload::Tcp };
        let destination = SocketAddr::new(service.address(), PORT);
        let frame_bytes = if service.is_v4 { 64 } else { 96 };
        let template = Template { payload, source: service.client(), destination, frame_bytes };
        let opening = (service.delivery == Delivery::FullNat).then_some(Template { payload: Payload::Syn, ..template });
        Self {
            name,
            opening,
            template,
            walk: Walk::default(),
            service,
            entries: 0,
            screen: String::new(),
            rows: RowState::Settled,
            sampled: false,
        }
    }

    fn payload(mut self, payload: Payload) -> Self {
        self.template.payload = payload;
        self
    }

    fn bytes(mut self, frame_bytes: usize) -> Self {
        self.template.frame_bytes = frame_bytes;
        self
    }

    fn flows(mut self, flow_bits: u32) -> Self {
        self.walk = Walk::clients(flow_bits);
        self
    }

    fn rows(mut self, state: RowState) -> Self {
        self.rows = state;
        self
    }

    /// A packet from a backend to the client.
    fn reply(mut self) -> Self {
        self.template.source = SocketAddr::new(self.service.backend(1), 8080);
        self.template.destination = match self.service.delivery {
            Delivery::FullNat => SocketAddr::new(source(self.service.backend(1)), NODE_PORT),
            _ => self.service.client(),
        };
        self
    }

    /// A packet to nobody's address.
    fn elsewhere(mut self) -> Self {
        self.template.destination.set_ip(if self.service.is_v4 {
            [10, 0, 0, 101].into()
        } else {
            [0xfd00, 0, 0, 0, 0, 0, 0, 0x101].into()
        });
        self
    }

    /// A packet from a source that the service does not allow.
    fn refused(mut self) -> Self {
        self.template.source.set_ip(self.listable(LISTED));
        self
    }

    /// Somebody looks at drops.
    fn sampled(mut self) -> Self {
        self.sampled = true;
        self
    }

    /// Random sources and a deny list of so many single addresses: all sources are on it, or none is.
    fn list(mut self, entries: u32, hit: bool) -> Self {
        self.entries = entries;
        self.walk = Walk { flow_bits: entries.ilog2(), port_bits: 0, stride: LIST_STRIDE };
        let first = if hit { LISTED } else { UNLISTED };
        self.template.source.set_ip(self.listable(first));
        self
    }

    /// So many sources, everywhere in the address space, one after the other.
    fn spoofed(mut self, source_bits: u32) -> Self {
        self.walk = Walk { flow_bits: source_bits, port_bits: 0, stride: LIST_STRIDE >> 9 };
        self
    }

    /// Whatever the packet uses up has been used up by one like it.
    fn after_one_like_it(self) -> Self {
        Self { opening: Some(self.template), ..self }
    }

    /// Rules or limits.
    fn screened(mut self, screen: impl Into<String>) -> Self {
        self.screen = screen.into();
        self
    }

    fn listable(&self, low: u32) -> IpAddr {
        match self.service.client().ip() {
            IpAddr::V4(_) => Ipv4Addr::from_bits(low).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 32 << 32 | u128::from(low)).into(),
        }
    }

    /// How many flows it walks over.
    pub const fn flows_walked(&self) -> u64 {
        1 << self.walk.flow_bits
    }

    /// What the node is configured to do.
    pub fn model(&self) -> Model {
        let full_nat = FullNat { addresses: Vec::new(), ports: NODE_PORT..=NODE_PORT };
        let entry = |number: u32| IpNet::from(self.listable(LISTED.wrapping_add(number.wrapping_mul(LIST_STRIDE))));
        Model {
            node: Node { interfaces: Vec::new(), secret: None, source_v4: None, source_v6: None, full_nat },
            services: vec![self.service.service()],
            firewall: Firewall { deny: (0..self.entries).map(entry).collect(), ..self.firewall() },
            // The packets come from few prefixes.
            syn: Syn { answers: u32::MAX, ..Syn::default() },
        }
    }

    /// The firewall's rules and limits.
    fn firewall(&self) -> Firewall {
        Document::parse("bench", &self.screen).unwrap_or_else(|errors| panic!("{errors}")).1.firewall
    }

    /// Whether the floor is the same program with [`Case::unlisted_model`].
    pub const fn has_firewall(&self) -> bool {
        self.entries > 0 || !self.screen.is_empty()
    }

    /// The same without the list, rules and limits.
    pub fn unlisted_model(&self) -> Model {
        Self { entries: 0, screen: String::new(), ..self.clone() }.model()
    }
}

/// A packet to nobody's address, which passes, and a service beside it.
pub fn nobody(is_v4: bool) -> Case {
    Case::new("nobody", Endpoint::new(is_v4, Delivery::Ipip)).elsewhere()
}

/// Every case.
pub fn all() -> Vec<Case> {
    let v4 = |delivery| Endpoint::new(true, delivery);
    let v6 = |delivery| Endpoint::new(false, delivery);
    let (ipip, ipip6) = (v4(Delivery::Ipip), v6(Delivery::Ipip));
    let udp = Endpoint { protocol: Protocol::Udp, ..ipip };
    let quic = Endpoint { kind: Kind::Quic, ..udp };
    let any_port = Endpoint { port: None, ..ipip };
    let mut cases = vec![Case::new("ipip/v4/tcp", ipip)];
    cases.extend([10, 14, 17, 20, 22].map(|flow_bits| Case::new("ipip/v4/tcp", ipip).flows(flow_bits)));
    cases.extend([
        Case::new("ipip/v4/tcp", ipip).bytes(1400),
        Case::new("ipip/v6/tcp", ipip6),
        Case::new("ipip/v6/tcp", ipip6).flows(20),
        Case::new("ipip/v4/udp", udp),
        Case::new("quic/v4/server-id", quic).payload(Payload::Quic([0, 7])),
        Case::new("quic/v4/unknown-id", quic).payload(Payload::Quic([0xff, 0xff])),
        Case::new("ipip/v4/tcp/any-port", any_port),
        Case::new("ipip/v4/tcp/unsettled/lookup", ipip).flows(18).rows(RowState::Lookup),
        Case::new("ipip/v4/tcp/unsettled/lookup", ipip).flows(20).rows(RowState::Lookup),
        Case::new("ipip/v4/tcp/unsettled/moving", ipip).flows(18).rows(RowState::Moving),
        Case::new("ipip/v4/tcp/unsettled/moving", ipip).flows(20).rows(RowState::Moving),
        Case::new("ipip/v4/tcp/range", Endpoint { kind: Kind::Range, ..ipip }),
        Case::new("ipip/v4/tcp/prefix", Endpoint { kind: Kind::Prefix, ..ipip }),
        Case::new("ipip/v4/tcp/allowed-source", Endpoint { kind: Kind::Restricted, ..ipip }),
        Case::new("ipip/v4/syn/new-flows", ipip).payload(Payload::Syn).flows(24),
        Case::new("syn-flood/v4/challenged", Endpoint { kind: Kind::Flooded, ..ipip }).payload(Payload::Syn).flows(24),
        Case::new("syn-flood/v6/challenged", Endpoint { kind: Kind::Flooded, ..ipip6 }).payload(Payload::Syn).flows(24),
        Case::new("syn-flood/v4/established", Endpoint { kind: Kind::Flooded, ..ipip }),
        Case::new("gue/v4/tcp", v4(Delivery::Gue)),
        Case::new("gue/v6/tcp", v6(Delivery::Gue)),
        Case::new("l2/v4/tcp", v4(Delivery::L2)),
        Case::new("l2/v6/tcp", v6(Delivery::L2)),
        Case::new("nat/v4/tcp", v4(Delivery::Nat)),
        Case::new("nat/v6/tcp", v6(Delivery::Nat)),
        Case::new("nat/v4/reply", v4(Delivery::Nat)).reply(),
        Case::new("full-nat/v4/tcp", v4(Delivery::FullNat)),
        Case::new("full-nat/v6/tcp", v6(Delivery::FullNat)),
        Case::new("full-nat/v4/reply", v4(Delivery::FullNat)).reply(),
        Case::new("pass/v4/tcp", ipip).elsewhere(),
        Case::new("pass/v6/tcp", ipip6).elsewhere(),
        Case::new("echo/v4", ipip).payload(Payload::Echo),
        Case::new("echo/v6", ipip6).payload(Payload::Echo),
        Case::new("icmp/v4/frag-needed", ipip).payload(Payload::FragmentationNeeded).bytes(90),
        Case::new("icmp/v4/frag-needed/nat", v4(Delivery::Nat)).payload(Payload::FragmentationNeeded).bytes(90),
    ]);
    let restricted = Endpoint { kind: Kind::Restricted, ..ipip };
    cases.extend([
        Case::new("drop/v4/tcp", restricted).refused(),
        Case::new("drop/v4/tcp/looked-at", restricted).refused().sampled(),
    ]);
    for entries in [1_000, 100_000] {
        cases.push(Case::new("firewall/v4/miss", ipip).list(entries, false));
        cases.push(Case::new("firewall/v4/hit", ipip).list(entries, true));
        cases.push(Case::new("firewall/v6/miss", ipip6).list(entries, false));
        cases.push(Case::new("firewall/v6/hit", ipip6).list(entries, true));
    }
    for (name, count) in [("firewall/v4/1-rule", 1), ("firewall/v4/32-rules", 32), ("firewall/v4/64-rules", 64)] {
        cases.push(Case::new(name, ipip).screened(rules(count)));
    }
    // No source sends as much.
    let plenty = "[[limit]]\nname = \"limit\"\nby = \"source\"\nbytes = \"100GB\"\n";
    let little = "[[limit]]\nname = \"limit\"\nby = \"source\"\npackets = 1\n";
    cases.extend([
        Case::new("firewall/v4/limit", ipip).screened(plenty),
        Case::new("firewall/v6/limit", ipip6).screened(plenty),
        Case::new("firewall/v4/limit/all", ipip).screened(plenty.replace("source", "all")),
        Case::new("firewall/v4/limit/flood", ipip).screened(plenty).spoofed(24),
        Case::new("firewall/v4/limit/over", ipip).screened(little).after_one_like_it(),
    ]);
    // A packet that the protected node only forwards: it is looked for a socket and for a route.
    cases.push(Case::new("node/v4/forwarded", ipip).reply().screened("[firewall]\nprotect = \"node\"\n"));
    cases
}

/// So many rules, of which none matches the packet: the first half by its port, the others by its source.
fn rules(count: u16) -> String {
    let rule = |number: u16| {
        let condition = if number < count.div_ceil(2) {
            format!("protocol = \"tcp\"\nport = {}", 1000 + number)
        } else {
            format!("source = \"192.0.{number}.0/24\"")
        };
        format!("[[rule]]\nname = \"rule-{number}\"\naction = \"drop\"\n{condition}\n")
    };
    (0..count).map(rule).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_listed_source_walks_over_entries_only_and_an_unlisted_one_over_none() {
        for hit in [true, false] {
            let case = Case::new("", Endpoint::new(true, Delivery::Ipip)).list(1000, hit);
            let deny: BTreeSet<IpNet> = case.model().firewall.deny.into_iter().collect();
            let packet = case.walk.wrap(&case.template.build().unwrap()).unwrap();
            for number in 0..4096 {
                let source = case.template.moved(packet.step(number)).source.ip();
                assert_eq!(deny.contains(&IpNet::from(source)), hit, "{source}");
            }
        }
    }

    #[test]
    fn a_walk_meets_every_flow_once() {
        let case = Case::new("", Endpoint::new(false, Delivery::L2)).flows(14);
        let packet = case.walk.wrap(&case.template.build().unwrap()).unwrap();
        let sources: BTreeSet<SocketAddr> =
            (0..1 << 14).map(|number| case.template.moved(packet.step(number)).source).collect();
        assert_eq!(sources.len(), 1 << 14);
    }

    #[test]
    fn every_case_fits_the_wrapper() {
        for case in all() {
            case.walk.wrap(&case.template.build().unwrap()).unwrap();
        }
    }
}
