//! Conversations of clients with services of `full-nat`, and the cases that they make.

use super::super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT, NODE_PORT},
};

/// An end of a conversation.
pub(super) type End = (&'static str, u16);

/// A conversation: the client, the service, the node towards the backend, and the backend.
#[derive(Clone, Copy)]
pub(super) struct Talk {
    pub(super) service_name: &'static str,
    pub(super) client: End,
    pub(super) service: End,
    pub(super) node: End,
    pub(super) backend: End,
}

pub(super) const NODE: End = ("10.9.1.1", NODE_PORT);
pub(super) const NODE6: End = ("fd09:1::1", NODE_PORT);

pub(super) const WEB: Talk = Talk {
    service_name: "full",
    client: (CLIENT, 40000),
    service: ("10.9.0.108", 80),
    node: NODE,
    backend: ("10.9.1.51", 8080),
};
pub(super) const DNS: Talk = Talk {
    service_name: "full-dns",
    client: (CLIENT, 5000),
    service: ("10.9.0.108", 53),
    backend: ("10.9.1.52", 5353),
    ..WEB
};
pub(super) const ANY: Talk =
    Talk { service_name: "full-any", service: ("10.9.0.109", 4711), backend: ("10.9.1.53", 4711), ..WEB };
/// The backend is on the clients' network.
pub(super) const NEAR: Talk = Talk {
    service_name: "full-near",
    service: ("10.9.0.108", 81),
    node: ("10.9.0.1", NODE_PORT),
    backend: ("10.9.0.51", 81),
    ..WEB
};
pub(super) const WEB6: Talk = Talk {
    service_name: "full6",
    client: (CLIENT6, 40000),
    service: ("fd09::108", 80),
    node: NODE6,
    backend: ("fd09:1::51", 8080),
};
pub(super) const DNS6: Talk = Talk {
    service_name: "full6-dns",
    client: (CLIENT6, 5000),
    service: ("fd09::108", 53),
    backend: ("fd09:1::52", 5353),
    ..WEB6
};

pub(super) const FIN: u8 = 1;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// What a packet carries.
pub(super) type Make = fn(Packet) -> Packet;

pub(super) fn syn(packet: Packet) -> Packet {
    packet.syn()
}

pub(super) fn ack(packet: Packet) -> Packet {
    packet.ack().payload(b"odd")
}

pub(super) fn fin(packet: Packet) -> Packet {
    packet.flags(FIN | ACK)
}

pub(super) fn rst(packet: Packet) -> Packet {
    packet.flags(RST)
}

/// A datagram, or an answer to a SYN.
pub(super) fn plain(packet: Packet) -> Packet {
    packet.payload(b"any")
}

impl Talk {
    pub(super) fn packet(&self, from: End, to: End, ttl: u8, make: Make) -> Packet {
        let packet = Packet::ip(from.0, to.0).ttl(ttl);
        make(if self.is_dns() { packet.udp(from.1, to.1) } else { packet.tcp(from.1, to.1) })
    }

    /// A packet of the client's.
    pub(super) fn asks(&self, make: Make) -> Packet {
        self.packet(self.client, self.service, 64, make)
    }

    /// What the backend gets of it.
    pub(super) fn asked(&self, make: Make) -> Packet {
        self.packet(self.node, self.backend, 63, make)
    }

    /// A packet of the backend's.
    pub(super) fn answers(&self, make: Make) -> Packet {
        self.packet(self.backend, self.node, 64, make)
    }

    /// What the client gets of it.
    pub(super) fn answered(&self, make: Make) -> Packet {
        self.packet(self.service, self.client, 63, make)
    }

    /// Somebody else asks the same service.
    pub(super) fn of(self, client: End) -> Self {
        Self { client, ..self }
    }

    /// The case of a client's packet that arrives, after what was before it.
    pub(super) fn request(&self, name: &str, make: Make) -> Case {
        Case::new(format!("full-nat: {name}"), self.asks(make))
            .redirects(BACK, self.backend.0, self.asked(make))
            .counts(self.service_name, self.backend.0)
    }

    /// The case of a client's packet that opens a session.
    pub(super) fn opening(&self, name: &str) -> Case {
        self.request(name, syn).opens_flow()
    }

    /// The case of a client's packet that does not arrive.
    pub(super) fn lost(&self, name: &str, make: Make) -> Case {
        Case::new(format!("full-nat: {name}"), self.asks(make)).counts_service(self.service_name)
    }

    /// The case of a backend's packet that arrives.
    pub(super) fn reply(&self, name: &str, make: Make) -> Case {
        Case::new(format!("full-nat reply: {name}"), self.answers(make)).from(BACK).redirects(
            FRONT,
            self.client.0,
            self.answered(make),
        )
    }

    /// The packets that make a session an established one.
    pub(super) fn established(&self, case: Case) -> Case {
        let first = self.opened(case).after_from(BACK, self.answers(ack_or_plain(self)));
        first.after_from(FRONT, self.asks(ack_or_plain(self)))
    }

    /// Whether it is one of datagrams.
    pub(super) fn is_dns(&self) -> bool {
        self.service_name.contains("dns")
    }

    /// The case after the packet that opens the session.
    pub(super) fn opened(&self, case: Case) -> Case {
        case.after_from(FRONT, self.asks(if self.is_dns() { plain } else { syn }))
    }
}

pub(super) fn ack_or_plain(talk: &Talk) -> Make {
    if talk.is_dns() { plain } else { ack }
}
