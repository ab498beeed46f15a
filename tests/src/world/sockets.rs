//! The node's own sockets, in one list that is both the host's answer to the question whom a packet is for and the set-up of
//! the kernel's network.

use std::net::{IpAddr, SocketAddr};

use lb_ebpf::{parse::Packet, tables::Socket, wire::protocol};

/// A socket of the node's.
#[derive(Clone, Copy, Debug)]
pub struct NodeSocket {
    /// Its protocol's number.
    pub protocol: u8,
    /// Its own end; `::` is any address of either family.
    pub local: (&'static str, u16),
    /// The other end, if it is connected; otherwise it listens, or takes datagrams of anybody.
    pub remote: Option<(&'static str, u16)>,
}

/// All of them.
pub const SOCKETS: [NodeSocket; 10] = [
    NodeSocket::open(protocol::TCP, ("::", 22)),
    NodeSocket::connected(protocol::TCP, ("10.9.0.1", 22), ("10.9.0.7", 50_000)),
    NodeSocket::connected(protocol::TCP, ("fd09::1", 22), ("fd09::7", 50_000)),
    NodeSocket::connected(protocol::TCP, ("10.9.1.1", 51_000), ("10.9.1.41", 8080)),
    NodeSocket::open(protocol::UDP, ("::", 161)),
    NodeSocket::open(protocol::UDP, ("10.9.0.1", 32_768)),
    NodeSocket::open(protocol::UDP, ("fd09::1", 60_999)),
    NodeSocket::open(protocol::UDP, ("10.9.0.1", 61_000)),
    NodeSocket::connected(protocol::UDP, ("10.9.0.1", 123), ("10.9.0.7", 123)),
    NodeSocket::connected(protocol::UDP, ("fd09::1", 123), ("fd09::7", 123)),
];

impl NodeSocket {
    const fn open(protocol: u8, local: (&'static str, u16)) -> Self {
        Self { protocol, local, remote: None }
    }

    const fn connected(protocol: u8, local: (&'static str, u16), remote: (&'static str, u16)) -> Self {
        Self { protocol, local, remote: Some(remote) }
    }

    /// Whether the socket gets a packet.
    fn gets(&self, packet: &Packet) -> bool {
        let (to, from): (IpAddr, IpAddr) = (packet.destination.into(), packet.source.into());
        let local = end(self.local);
        self.protocol == packet.protocol
            && (local.ip() == to || local.ip().is_unspecified())
            && local.port() == packet.destination_port
            && self.remote.is_none_or(|remote| end(remote) == SocketAddr::new(from, packet.source_port))
    }
}

/// An address and a port.
pub fn end((address, port): (&str, u16)) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

/// What the kernel answers about whom a packet is for.
pub fn socket(packet: &Packet) -> Socket {
    let theirs = SOCKETS.iter().filter(|socket| socket.gets(packet));
    match theirs.max_by_key(|socket| socket.remote.is_some()) {
        None => Socket::None,
        Some(NodeSocket { remote: None, .. }) => Socket::Open,
        Some(NodeSocket { remote: Some(_), .. }) => Socket::Connected,
    }
}
