//! What clients send.

use lb_common::Address;
use lb_ebpf::{
    parse::{Packet, Transport},
    wire::tcp::flags,
};
use lb_userspace::model::Service;

/// A kind of packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A TCP segment that opens a connection.
    Syn,
    /// A TCP segment of a connection that is open.
    Data,
    /// A TCP segment that says that the client will send no more.
    Fin,
    /// A TCP segment that ends the connection at once.
    Rst,
    /// A UDP datagram.
    Datagram,
}

impl Kind {
    const fn transport(self) -> Transport {
        match self {
            Self::Syn => Transport::Tcp { flags: flags::SYN },
            Self::Data => Transport::Tcp { flags: flags::ACK },
            Self::Fin => Transport::Tcp { flags: flags::FIN | flags::ACK },
            Self::Rst => Transport::Tcp { flags: flags::RST },
            Self::Datagram => Transport::Udp,
        }
    }
}

/// How many flows a client has, each from a port of its own, before another client comes.
pub const FLOWS_PER_CLIENT: u32 = 50_000;

/// A packet as the parser would hand it over. A flow is a number; it chooses the client's address and port.
pub(super) fn packet(flow: u32, kind: Kind, service: &Service) -> Packet {
    Packet {
        source: Address::v4(0x0a01_0000 + flow / FLOWS_PER_CLIENT),
        destination: service.address.addr().into(),
        frame_bytes: 54,
        network_offset: 14,
        ip_bytes: 40,
        transport_offset: 34,
        source_port: 10_000 + (flow % FLOWS_PER_CLIENT) as u16,
        destination_port: service.ports.only().unwrap_or(0),
        transport: kind.transport(),
        protocol: service.protocol.number(),
        rare: 0,
        traffic_class: 0,
        is_admitted: false,
        ttl: 64,
        defect: None,
    }
}
