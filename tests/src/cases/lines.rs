//! Services that are written as lines, and segments to them.

use std::net::IpAddr;

use ipnet::IpNet;
use lb_userspace::model::{Delivery, PortSpan, Ports, Protocol};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, Setup, service},
};

/// A service as one line: name, protocol, address or prefix, ports from and to (none are any port), delivery, and the only
/// backend, which is on the back network.
pub(super) type Line = (&'static str, Protocol, &'static str, &'static [(u16, u16)], Delivery, &'static str);

/// The services that a subject's cases need beside those of the world.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    /// What the cases are about: their names begin with it.
    pub(super) subject: &'static str,
    /// The services.
    pub(super) lines: &'static [Line],
}

impl Lines {
    fn add_to(self, setup: &mut Setup) {
        for &(name, protocol, address, spans, delivery, backend) in self.lines {
            let address = address.parse().or_else(|_| address.parse::<IpAddr>().map(IpNet::from));
            let address = address.expect("an address or a prefix");
            setup.add(service(name, protocol, address, ports(spans), delivery, &[(backend, 0)]));
        }
    }

    /// A packet that meets these services.
    pub(super) fn case(self, name: &str, packet: impl Into<Vec<u8>>) -> Case {
        Case::new(format!("{}: {name}", self.subject), packet).with(|setup| self.add_to(setup))
    }

    /// A segment to a service that goes to its backend.
    pub(super) fn forwarded(self, name: &'static str, address: &str, port: u16) -> Case {
        let (_, _, _, _, _, backend) = self.lines.iter().find(|line| line.0 == name).expect("a service");
        self.case(&format!("{address} port {port} is {name}'s"), to(address, port))
            .redirects(BACK, backend, to(address, port).ttl(63))
            .counts(name, backend)
    }

    /// A segment that is for none of them.
    pub(super) fn passes(self, address: &str, port: u16) -> Case {
        self.case(&format!("{address} port {port} is nobody's"), to(address, port))
    }
}

/// Ports from and to; none are any port.
pub(super) fn ports(spans: &[(u16, u16)]) -> Ports {
    Ports::new(spans.iter().map(|&(first, last)| PortSpan { first, last }).collect())
}

/// A segment of a client's to an address.
pub(super) fn to(address: &str, port: u16) -> Packet {
    let client = if address.contains(':') { CLIENT6 } else { CLIENT };
    Packet::ip(client, address).tcp(40000, port).ack()
}
