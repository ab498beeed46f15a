//! From bytes to meaning: what the rest of the datapath may know about a frame.
//!
//! Parsing never decides. A frame that is not IP, or too short to tell its destination, is no [`Packet`] and passes. A packet
//! with a defect is still a packet: only the service look-up can tell whether the defect is our business.

mod ip;
pub mod quoted;
pub(crate) mod source_route;
mod transport;

use core::hint::black_box;

use lb_common::{Address, DropReason, Flow};

use crate::{
    frame::Frame,
    wire::ethernet::{self, Ethernet, Tag},
};

/// What parsing learned. All numbers are in host byte order.
///
/// It is one cache line. The order of the fields matters to the verifier: it follows the values of those that begin an 8-byte
/// slot of the stack, and would explore the rest of the program anew for each value. Of the others it forgets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Packet {
    /// The source address.
    pub source: Address,
    /// The destination address.
    pub destination: Address,
    /// The length of the frame, in bytes; without what follows the IP packet in further buffers, if it ends in the first.
    pub frame_bytes: u32,
    /// Where the IP header begins, in bytes from the start of the frame.
    pub network_offset: u32,
    /// The length of the IP packet, in bytes, as its header says.
    pub ip_bytes: u32,
    /// Where the transport header begins.
    pub transport_offset: u32,
    /// The source port; 0 where there are no ports.
    pub source_port: u16,
    /// The destination port; 0 where there are no ports.
    pub destination_port: u16,
    /// What the transport header says.
    pub transport: Transport,
    /// The protocol of the payload, behind IPv6 extension headers.
    pub protocol: u8,
    /// The time to live, or hop limit.
    pub ttl: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Whether the firewall has let the packet in for good: an allow list has its source, or a rule passes it.
    pub is_admitted: bool,
    /// Of a packet that takes a side road ([`crate::aside`]): where the header begins that says so. This is the one with a
    /// fragment's identification, IPv4's own or IPv6's fragment header; or an ICMP error's. Otherwise 0.
    pub rare: u16,
    /// Why the packet cannot be forwarded if it is for a service.
    pub defect: Option<DropReason>,
}

const _: () = assert!(size_of::<Option<Packet>>() == 64, "a packet is one cache line");

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
    /// An ICMP error of the packet's family: it quotes the packet that it is about.
    Error,
    /// Something that services do not have.
    Other,
}

impl Packet {
    /// Whether this is IPv4.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.destination.is_v4()
    }

    /// Whether the packet takes a side road: it is a fragment or an ICMP error.
    #[inline(always)]
    pub const fn is_rare(&self) -> bool {
        self.rare != 0
    }

    /// Whether this is a fragment.
    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        self.is_rare() && !matches!(self.transport, Transport::Error)
    }

    /// Whether this is a fragment other than the first.
    #[inline(always)]
    pub const fn is_later_fragment(&self) -> bool {
        matches!(self.defect, Some(DropReason::FragmentUnknown))
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
}

/// The packet in a frame, if there is an IP packet in it; kept in `place`.
///
/// It is written to memory at once, and stays there, because LLVM would otherwise hold its fields in registers, of which BPF has ten, and copy
/// all of them from stack slot to stack slot wherever two ways of parsing meet: half of all instructions executed.
#[inline(always)]
pub fn packet<'p>(frame: &impl Frame, place: &'p mut Option<Packet>) -> Option<&'p mut Packet> {
    let mut offset = ethernet::HEADER_BYTES;
    let mut ether_type = frame.header::<Ethernet>(0)?.ether_type;
    // Two tags (802.1ad) at the most.
    if ethernet::is_tag(ether_type) {
        (offset, ether_type) = behind_tag(frame, offset)?;
        if ethernet::is_tag(ether_type) {
            (offset, ether_type) = behind_tag(frame, offset)?;
        }
    }
    let bytes = frame.length();
    let (packet, network) = match ether_type {
        ethernet::IPV4 => {
            let header = frame.header(offset)?;
            let packet = place.insert(ip::v4(header, offset, bytes));
            let checked = ip::check_v4(header, packet);
            (packet, checked)
        }
        ethernet::IPV6 => {
            let header = frame.header(offset)?;
            let packet = place.insert(ip::v6(header, offset, bytes));
            let checked = ip::check_v6(frame, header, packet);
            (packet, checked)
        }
        _ => return None,
    };
    let packet = in_memory(packet);
    let network = if ip::is_cut_short(frame, packet) { Err(DropReason::MalformedIp) } else { network };
    packet.defect = network.and_then(|()| transport::parse(frame, packet)).err();
    Some(in_memory(packet))
}

/// The packet, of whose fields the compiler now knows no more than that they are in memory.
#[inline(always)]
fn in_memory(packet: &mut Packet) -> &mut Packet {
    black_box(packet)
}

/// The offset behind a tag whose EtherType ended at `offset`, and the EtherType there.
#[inline(always)]
fn behind_tag(frame: &impl Frame, offset: u32) -> Option<(u32, u16)> {
    // A tag's control word and the next EtherType have the shape of a tag read two bytes later.
    let next = frame.header::<Tag>(offset)?;
    Some((offset + ethernet::TAG_BYTES, next.control))
}
