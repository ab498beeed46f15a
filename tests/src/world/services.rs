//! The services of the world.

use std::{net::IpAddr, time::Duration};

use super::NODE_PORT;
use ipnet::IpNet;
use lb_userspace::model::{
    AdminState, Affinity, Backend, Delivery, Exceptions, Firewall, FullNat, Model, Node, Ports, Protocol, RingSettings,
    Service, Syn, SynProtection, Track,
};

/// The secret of the flow hash.
pub const SECRET: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

/// A service as one line: name, protocol, address, port (0 is any), delivery, backends with port (0 is the client's).
type Line = (&'static str, Protocol, &'static str, u16, Delivery, &'static [(&'static str, u16)]);

const SERVICES: &[Line] = {
    use Delivery::{FullNat, Gue, Ipip, L2, Nat};
    use Protocol::{Tcp, Udp};
    &[
        ("web", Tcp, "10.9.0.100", 80, L2, &[("10.9.0.11", 0)]),
        ("web-any", Tcp, "10.9.0.100", 0, L2, &[("10.9.1.12", 0)]),
        ("dns", Udp, "10.9.0.100", 53, L2, &[("10.9.0.13", 0)]),
        ("spread", Tcp, "10.9.0.101", 80, L2, &[("10.9.1.21", 0), ("10.9.1.22", 0), ("10.9.1.23", 0)]),
        ("4in4", Tcp, "10.9.0.102", 80, Ipip, &[("10.9.1.31", 0)]),
        ("4in4-dns", Udp, "10.9.0.102", 53, Ipip, &[("10.9.1.31", 0)]),
        ("4in4-near", Tcp, "10.9.0.102", 81, Ipip, &[("10.9.0.31", 0)]),
        ("4in6", Tcp, "10.9.0.103", 80, Ipip, &[("fd09:1::33", 0)]),
        ("nat", Tcp, "10.9.0.105", 80, Nat, &[("10.9.1.41", 8080)]),
        ("nat-dns", Udp, "10.9.0.105", 53, Nat, &[("10.9.1.42", 5353)]),
        ("nat-any", Tcp, "10.9.0.106", 0, Nat, &[("10.9.1.43", 0)]),
        ("gue-4in4", Tcp, "10.9.0.160", 80, Gue, &[("10.9.1.161", 0)]),
        ("gue-4in4-dns", Udp, "10.9.0.160", 53, Gue, &[("10.9.1.161", 0)]),
        ("gue-near", Tcp, "10.9.0.160", 81, Gue, &[("10.9.0.161", 0)]),
        ("gue-4in6", Tcp, "10.9.0.161", 80, Gue, &[("fd09:1::163", 0)]),
        ("gue-4in6-dns", Udp, "10.9.0.161", 53, Gue, &[("fd09:1::163", 0)]),
        ("empty", Tcp, "10.9.0.107", 80, L2, &[]),
        ("web6", Tcp, "fd09::100", 80, L2, &[("fd09::11", 0)]),
        ("dns6", Udp, "fd09::100", 53, L2, &[("fd09:1::13", 0)]),
        ("6in4", Tcp, "fd09::102", 80, Ipip, &[("10.9.1.34", 0)]),
        ("6in6", Tcp, "fd09::103", 80, Ipip, &[("fd09:1::35", 0)]),
        ("gue-6in4", Tcp, "fd09::160", 80, Gue, &[("10.9.1.164", 0)]),
        ("gue-6in4-dns", Udp, "fd09::160", 53, Gue, &[("10.9.1.164", 0)]),
        ("gue-6in6", Tcp, "fd09::161", 80, Gue, &[("fd09:1::165", 0)]),
        ("gue-6in6-dns", Udp, "fd09::161", 53, Gue, &[("fd09:1::165", 0)]),
        ("nat6", Tcp, "fd09::105", 80, Nat, &[("fd09:1::41", 8080)]),
        ("nat6-dns", Udp, "fd09::105", 53, Nat, &[("fd09:1::42", 5353)]),
        ("nat6-any", Udp, "fd09::106", 0, Nat, &[("fd09:1::43", 0)]),
        ("spread6", Tcp, "fd09::101", 80, L2, &[("fd09:1::21", 0), ("fd09:1::22", 0), ("fd09:1::23", 0)]),
        ("full", Tcp, "10.9.0.108", 80, FullNat, &[("10.9.1.51", 8080)]),
        ("full-near", Tcp, "10.9.0.108", 81, FullNat, &[("10.9.0.51", 0)]),
        ("full-dns", Udp, "10.9.0.108", 53, FullNat, &[("10.9.1.52", 5353)]),
        ("full-any", Tcp, "10.9.0.109", 0, FullNat, &[("10.9.1.53", 0)]),
        ("full6", Tcp, "fd09::108", 80, FullNat, &[("fd09:1::51", 8080)]),
        ("full6-dns", Udp, "fd09::108", 53, FullNat, &[("fd09:1::52", 5353)]),
    ]
};

/// The configuration. A backend's name is its address.
pub(super) fn model() -> Model {
    let full_nat = FullNat { addresses: Vec::new(), ports: NODE_PORT..=NODE_PORT };
    Model {
        node: Node { interfaces: Vec::new(), secret: Some(SECRET), source_v4: None, source_v6: None, full_nat },
        services: SERVICES.iter().map(line).collect(),
        firewall: Firewall::default(),
        syn: Syn::default(),
    }
}

fn line(&(name, protocol, address, port, delivery, backends): &Line) -> Service {
    let ports = if port == 0 { Ports::ANY } else { port.into() };
    service(name, protocol, parsed(address).into(), ports, delivery, backends)
}

/// A service of backends with port (0 is the client's), in a small ring.
pub fn service(
    name: &str,
    protocol: Protocol,
    address: IpNet,
    ports: Ports,
    delivery: Delivery,
    backends: &[(&str, u16)],
) -> Service {
    Service {
        name: name.to_owned(),
        address,
        ports,
        protocol,
        delivery,
        gue_port: Service::DEFAULT_GUE_PORT,
        ring: RingSettings { bits: 10, ..RingSettings::default() },
        affinity: Affinity::default(),
        // As the configuration has it: sessions remember flows.
        track: if delivery == Delivery::FullNat { Track::Never } else { Track::default() },
        slow_start: Duration::ZERO,
        quic: None,
        allow_from: Vec::new(),
        syn_protection: SynProtection::Off,
        sanity: Exceptions::new(),
        health: None,
        pool: None,
        backends: backends.iter().map(|&(address, port)| backend(address, port)).collect(),
    }
}

fn backend(address: &str, port: u16) -> Backend {
    Backend {
        name: address.to_owned(),
        address: parsed(address),
        port: (port != 0).then_some(port),
        weight: Backend::DEFAULT_WEIGHT,
        state: AdminState::Up,
        drain_until: None,
        server_id: None,
    }
}

fn parsed(address: &str) -> IpAddr {
    address.parse().expect("an address")
}
