//! The packet that an ICMP error quotes (RFC 792, RFC 4443).
//!
//! Of its transport header perhaps no more than eight bytes are there. That is enough for ports.

use super::{Packet, Transport, in_memory, ip};
use crate::{
    frame::Frame,
    wire::{icmp, ipv4, ipv4::Ipv4, ports, ports::Ports, protocol},
};

/// The packet that the error `outer` quotes, turned round: as one of the same flow that goes the other way, with the offsets
/// of the one that is quoted. Kept in `place`.
///
/// `None`, and nothing is kept, if what is quoted is no TCP or UDP packet, is a later fragment, or too little of it is there;
/// or if the error's receiver has not sent it. Whoever sends an error to a host can only complain of a packet from that
/// host: all else is forged (RFC 5927).
#[inline(always)]
pub fn reversed<'p>(frame: &impl Frame, outer: &Packet, place: &'p mut Option<Packet>) -> Option<&'p Packet> {
    if read(frame, outer, place).is_none() {
        *place = None;
    }
    place.as_ref()
}

#[inline(always)]
fn read(frame: &impl Frame, outer: &Packet, place: &mut Option<Packet>) -> Option<()> {
    let offset = outer.transport_offset + icmp::HEADER_BYTES;
    let packet = if outer.is_v4() {
        let header = frame.header::<Ipv4>(offset)?;
        if header.version() != 4 || header.header_bytes() < ipv4::HEADER_BYTES || header.is_later_fragment() {
            return None;
        }
        place.insert(ip::v4(header, offset, outer.frame_bytes))
    } else {
        let header = frame.header(offset)?;
        let packet = place.insert(ip::v6(header, offset, outer.frame_bytes));
        ip::check_v6(frame, header, packet).ok()?;
        packet
    };
    let packet = in_memory(packet);
    packet.transport = match packet.protocol {
        protocol::TCP => Transport::Tcp { flags: 0 },
        protocol::UDP => Transport::Udp,
        _ => return None,
    };
    if packet.transport_offset + ports::HEADER_BYTES > end(outer) {
        return None;
    }
    let ports = frame.header::<Ports>(packet.transport_offset)?;
    packet.source_port = u16::from_be(ports.destination);
    packet.destination_port = u16::from_be(ports.source);
    (packet.source, packet.destination) = (packet.destination, packet.source);
    (packet.destination == outer.destination).then_some(())
}

/// Where the error ends, and what it quotes at the latest: an offset from the start of the frame, in bytes.
#[inline(always)]
pub(crate) const fn end(outer: &Packet) -> u32 {
    outer.network_offset + outer.ip_bytes
}
