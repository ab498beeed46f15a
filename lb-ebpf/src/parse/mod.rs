//! From bytes to meaning: what the rest of the datapath may know about a frame.
//!
//! Parsing never decides. A frame that is not IP, or too short to tell its destination, is no [`Packet`] and passes. A packet
//! with a defect is still a packet: only the service look-up can tell whether the defect is our business.

mod ip;
mod transport;

use lb_common::{Address, DropReason, Flow};

use crate::{
    frame::Frame,
    wire::ethernet::{self, Ethernet, Tag},
};

/// What parsing learned. All numbers are in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where the IP header begins, in bytes from the start of the frame.
    pub network_offset: u32,
    /// Where the transport header begins.
    pub transport_offset: u32,
    /// The length of the frame, in bytes.
    pub frame_bytes: u32,
    /// The length of the IP packet, in bytes, as its header says.
    pub ip_bytes: u32,
    /// The source address.
    pub source: Address,
    /// The destination address.
    pub destination: Address,
    /// The protocol of the payload, behind IPv6 extension headers.
    pub protocol: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The time to live, or hop limit.
    pub ttl: u8,
    /// The source port; 0 where there are no ports.
    pub source_port: u16,
    /// The destination port; 0 where there are no ports.
    pub destination_port: u16,
    /// Whether this is the first fragment of several.
    pub fragmented: bool,
    /// What the transport header says.
    pub transport: Transport,
    /// Why the packet cannot be forwarded if it is for a service.
    pub defect: Option<DropReason>,
}

/// What the transport header says, beyond ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment with these flags.
    Tcp {
        /// See [`crate::wire::tcp::flags`].
        flags: u8,
    },
    /// A UDP datagram.
    Udp,
    /// An ICMP echo request of the packet's family.
    EchoRequest,
    /// Something that services do not have.
    Other,
}

impl Packet {
    /// Whether this is IPv4.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.destination.is_v4()
    }

    /// The flow that the packet belongs to.
    #[inline(always)]
    pub const fn flow(&self) -> Flow {
        Flow {
            source: self.source,
            destination: self.destination,
            source_port: self.source_port,
            destination_port: self.destination_port,
            protocol: self.protocol,
        }
    }

    /// Whether the packet opens a flow: a TCP SYN.
    #[inline(always)]
    pub const fn opens_flow(&self) -> bool {
        use crate::wire::tcp::flags::{ACK, SYN};
        matches!(self.transport, Transport::Tcp { flags } if flags & (SYN | ACK) == SYN)
    }

    /// Whether the packet ends its flow: a TCP FIN or RST.
    #[inline(always)]
    pub const fn closes_flow(&self) -> bool {
        use crate::wire::tcp::flags::{FIN, RST};
        matches!(self.transport, Transport::Tcp { flags } if flags & (FIN | RST) != 0)
    }

    /// Notes a defect; the first one stays.
    #[inline(always)]
    const fn with_defect(mut self, reason: DropReason) -> Self {
        if self.defect.is_none() {
            self.defect = Some(reason);
        }
        self
    }
}

/// The packet in a frame, if there is an IP packet in it.
#[inline(always)]
pub fn packet(frame: &impl Frame) -> Option<Packet> {
    let mut offset = ethernet::HEADER_BYTES;
    let mut ether_type = frame.header::<Ethernet>(0)?.ether_type;
    // Two tags (802.1ad) at the most.
    if ethernet::is_tag(ether_type) {
        (offset, ether_type) = behind_tag(frame, offset)?;
        if ethernet::is_tag(ether_type) {
            (offset, ether_type) = behind_tag(frame, offset)?;
        }
    }
    let packet = match ether_type {
        ethernet::IPV4 => ip::v4(frame, offset)?,
        ethernet::IPV6 => ip::v6(frame, offset)?,
        _ => return None,
    };
    Some(if packet.defect.is_some() { packet } else { transport::parse(frame, packet) })
}

/// The offset behind a tag whose EtherType ended at `offset`, and the EtherType there.
#[inline(always)]
fn behind_tag(frame: &impl Frame, offset: u32) -> Option<(u32, u16)> {
    // A tag's control word and the next EtherType have the shape of a tag read two bytes later.
    let next = frame.header::<Tag>(offset)?;
    Some((offset + ethernet::TAG_BYTES, next.control))
}
