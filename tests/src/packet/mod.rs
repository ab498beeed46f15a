//! Packets for tests: well-formed ones by a fluent builder, and ways to break them.
//!
//! The builder stands on `etherparse` and shares no code with the datapath, so that what a test expects is never
//! computed by what it tests. Checksums and lengths are right unless a method says otherwise.

mod damage;
mod ends;
mod extension;
mod fragment;
mod link;
mod network;
pub mod oracle;
pub mod quic;
mod repair;
mod show;
mod transport;

use std::net::IpAddr;

use etherparse::{Ipv6FlowLabel, TcpHeader, UdpHeader};

pub use self::{
    damage::Damage,
    ends::{End, ends},
    repair::repair,
    show::difference,
};
use self::{extension::Extension, link::Link, network::Network, transport::Transport};

/// The MAC address that a packet comes from unless it is told otherwise.
pub const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 0xaa];
/// The MAC address that a packet goes to unless it is told otherwise.
pub const RECEIVER: [u8; 6] = [2, 0, 0, 0, 0, 0xbb];

/// A packet in the making.
#[derive(Clone, Debug)]
pub struct Packet {
    link: Link,
    network: Network,
    extensions: Vec<Extension>,
    transport: Transport,
    payload: Vec<u8>,
    trailer: Vec<u8>,
}

impl Packet {
    /// A packet between two addresses of the same family, TTL 64.
    pub fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            link: Link::new(SENDER, RECEIVER),
            network: Network::new(source, destination),
            extensions: Vec::new(),
            transport: Transport::Opaque(etherparse::ip_number::IPV6_NO_NEXT_HEADER.0),
            payload: Vec::new(),
            trailer: Vec::new(),
        }
    }

    /// An IPv4 packet.
    pub fn v4(source: &str, destination: &str) -> Self {
        Self::ip(source, destination)
    }

    /// An IPv6 packet.
    pub fn v6(source: &str, destination: &str) -> Self {
        Self::ip(source, destination)
    }

    /// A packet of the addresses' family.
    pub fn ip(source: &str, destination: &str) -> Self {
        Self::new(source.parse().expect("a source address"), destination.parse().expect("a destination address"))
    }

    /// Sets the MAC addresses.
    pub const fn link(mut self, source: [u8; 6], destination: [u8; 6]) -> Self {
        self.link.source = source;
        self.link.destination = destination;
        self
    }

    /// Adds a VLAN tag (802.1Q); the first one added is the outermost.
    pub fn tagged(mut self, control: u16) -> Self {
        self.link.tags.push((etherparse::ether_type::VLAN_TAGGED_FRAME, control));
        self
    }

    /// Adds a service VLAN tag (802.1ad).
    pub fn service_tagged(mut self, control: u16) -> Self {
        self.link.tags.push((etherparse::ether_type::PROVIDER_BRIDGING, control));
        self
    }

    /// Sets the time to live or hop limit.
    pub const fn ttl(mut self, ttl: u8) -> Self {
        match &mut self.network {
            Network::V4 { header, .. } => header.time_to_live = ttl,
            Network::V6 { header, .. } => header.hop_limit = ttl,
        }
        self
    }

    /// Sets DSCP and ECN together.
    pub fn traffic_class(mut self, class: u8) -> Self {
        self.network.set_traffic_class(class);
        self
    }

    /// Sets an IPv4 packet's options, whose length is a multiple of four.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.network.v4().options = options.try_into().expect("options");
        self
    }

    /// Forbids fragmentation of an IPv4 packet.
    pub fn dont_fragment(mut self) -> Self {
        self.network.v4().dont_fragment = true;
        self
    }

    /// Sets an IPv4 packet's identification.
    pub fn identification(mut self, identification: u16) -> Self {
        self.network.v4().identification = identification;
        self
    }

    /// Sets an IPv6 packet's flow label.
    pub fn flow_label(mut self, label: u32) -> Self {
        self.network.v6().flow_label = Ipv6FlowLabel::try_new(label).expect("20 bits");
        self
    }

    /// Lies about the length: IPv4's total length or IPv6's payload length.
    pub const fn claimed_bytes(mut self, bytes: u16) -> Self {
        match &mut self.network {
            Network::V4 { claimed, .. } | Network::V6 { claimed, .. } => *claimed = Some(bytes),
        }
        self
    }

    /// Carries a TCP segment.
    pub fn tcp(mut self, source_port: u16, destination_port: u16) -> Self {
        self.transport = Transport::Tcp(TcpHeader::new(source_port, destination_port, 0x1234_5678, 512));
        self
    }

    /// Sets the SYN flag.
    pub fn syn(mut self) -> Self {
        self.transport.tcp_header().syn = true;
        self
    }

    /// Sets the ACK flag.
    pub fn ack(mut self) -> Self {
        let header = self.transport.tcp_header();
        (header.ack, header.acknowledgment_number) = (true, 0x8765_4321);
        self
    }

    /// Sets the FIN flag.
    pub fn fin(mut self) -> Self {
        self.transport.tcp_header().fin = true;
        self
    }

    /// Sets the RST flag.
    pub fn rst(mut self) -> Self {
        self.transport.tcp_header().rst = true;
        self
    }

    /// Sets exactly these of the six flags of a TCP segment.
    pub fn flags(mut self, flags: u8) -> Self {
        let header = self.transport.tcp_header();
        (header.fin, header.syn, header.rst) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        (header.psh, header.ack, header.urg) = (flags & 8 != 0, flags & 16 != 0, flags & 32 != 0);
        self
    }

    /// Sets a TCP segment's sequence number.
    pub fn sequence(mut self, sequence: u32) -> Self {
        self.transport.tcp_header().sequence_number = sequence;
        self
    }

    /// Sets the ACK flag and the acknowledgement number, and closes the window: a segment that says no more.
    pub fn bare_ack(mut self, acknowledgement: u32) -> Self {
        let header = self.transport.tcp_header();
        (header.ack, header.acknowledgment_number, header.window_size) = (true, acknowledgement, 0);
        self.sequence(0)
    }

    /// Sets a TCP segment's options.
    pub fn tcp_options(mut self, options: &[u8]) -> Self {
        self.transport.tcp_header().set_options_raw(options).expect("TCP options");
        self
    }

    /// Carries a UDP datagram.
    pub const fn udp(mut self, source_port: u16, destination_port: u16) -> Self {
        self.transport = Transport::Udp {
            header: UdpHeader { source_port, destination_port, length: 0, checksum: 0 },
            claimed: None,
            checksum: true,
        };
        self
    }

    /// Leaves a UDP datagram's checksum out.
    pub fn without_checksum(mut self) -> Self {
        *self.transport.udp_checksum() = false;
        self
    }

    /// Lies about a UDP datagram's length.
    pub fn claimed_udp_bytes(mut self, bytes: u16) -> Self {
        *self.transport.udp_claim() = Some(bytes);
        self
    }

    /// Carries an ICMP message of the packet's family.
    pub const fn icmp(mut self, kind: u8, code: u8, rest: u32) -> Self {
        self.transport = Transport::Icmp { kind, code, rest };
        self
    }

    /// Asks for an echo.
    pub const fn echo_request(self, sequence: u16) -> Self {
        let kind = if self.network.is_v4() { 8 } else { 128 };
        self.icmp(kind, 0, 0x0101_0000 | sequence as u32)
    }

    /// Answers a request for an echo.
    pub const fn echo_reply(self, sequence: u16) -> Self {
        let kind = if self.network.is_v4() { 0 } else { 129 };
        self.icmp(kind, 0, 0x0101_0000 | sequence as u32)
    }

    /// Carries a payload of a protocol that the builder does not know.
    pub const fn protocol(mut self, number: u8) -> Self {
        self.transport = Transport::Opaque(number);
        self
    }

    /// Carries another packet, without its link header: IP in IP.
    pub fn carrying(self, inner: &Self) -> Self {
        let number = if inner.network.is_v4() { etherparse::ip_number::IPV4 } else { etherparse::ip_number::IPV6 };
        self.protocol(number.0).payload(&inner.ip_bytes())
    }

    /// Carries another packet in GUE: behind a UDP header, whose checksum is left out over IPv4, and a header of variant 0.
    pub fn gue(self, source_port: u16, port: u16, inner: &Self) -> Self {
        let number = if inner.network.is_v4() { etherparse::ip_number::IPV4 } else { etherparse::ip_number::IPV6 };
        let has_checksum = !self.network.is_v4();
        let packet = self.udp(source_port, port).payload(&[&[0, number.0, 0, 0], &*inner.ip_bytes()].concat());
        if has_checksum { packet } else { packet.without_checksum() }
    }

    /// Carries another packet directly behind a UDP header: GUE's variant 1.
    pub fn gue_direct(self, source_port: u16, port: u16, inner: &Self) -> Self {
        self.udp(source_port, port).payload(&inner.ip_bytes())
    }

    /// Carries the first bytes of another packet, without its link header: how an ICMP error quotes it.
    pub fn quoting(self, quoted: &Self, bytes: usize) -> Self {
        self.payload(&quoted.ip_bytes()[..bytes])
    }

    /// Sets the payload behind the transport header.
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// Adds bytes behind the IP packet, which belong to the frame only, until it has this length: Ethernet's padding.
    pub fn padded(self, frame_bytes: usize) -> Self {
        let bytes = frame_bytes - self.clone().bytes().len();
        self.trailer(bytes)
    }

    /// Adds this many bytes behind the IP packet.
    pub fn trailer(mut self, bytes: usize) -> Self {
        self.trailer = vec![0x5a; bytes];
        self
    }

    /// The frame.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = self.link.bytes(self.network.is_v4());
        bytes.extend(self.ip_bytes());
        bytes.extend(&self.trailer);
        bytes
    }

    /// The packet from its IP header on, without a trailer.
    fn ip_bytes(&self) -> Vec<u8> {
        let mut payload = extension::chain(&self.extensions, self.transport.number(&self.network));
        payload.extend(self.transport_bytes());
        let first = self.extensions.first().map_or(self.transport.number(&self.network), |extension| extension.number);
        let mut bytes = self.network.bytes(first, payload.len());
        bytes.extend(payload);
        bytes
    }

    /// Transport header and payload.
    fn transport_bytes(&self) -> Vec<u8> {
        self.transport.bytes(&self.network, &self.payload)
    }
}

impl From<Packet> for Vec<u8> {
    fn from(packet: Packet) -> Self {
        packet.bytes()
    }
}
