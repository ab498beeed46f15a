//! The network layer: IPv4 (RFC 791) and IPv6 (RFC 8200).

use lb_common::{Address, DropReason};

use super::{Packet, Transport, in_memory};
use crate::{
    frame::Frame,
    wire::{
        ipv4::{self, Ipv4},
        ipv6::{self, Extension, Fragment, Ipv6},
        protocol,
    },
};

/// How many IPv6 extension headers are walked over. RFC 8504 section 5.3 lets a node limit them; more than these
/// do not occur in honest traffic to a service.
pub(super) const MAX_EXTENSIONS: u32 = 4;

/// What the IPv4 header at `offset` says.
#[inline(always)]
pub(super) fn v4(header: &Ipv4, offset: u32, frame_bytes: u32) -> Packet {
    Packet {
        network_offset: offset,
        transport_offset: offset + header.header_bytes(),
        frame_bytes,
        ip_bytes: header.total_bytes() as u32,
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        protocol: header.protocol(),
        ttl: header.ttl(),
        traffic_class: header.traffic_class(),
        is_admitted: false,
        source_port: 0,
        destination_port: 0,
        rare: if header.is_fragment() { offset as u16 } else { 0 },
        transport: Transport::Other,
        defect: None,
    }
}

/// Whether a packet with this IPv4 header can be forwarded, if the frame has all of it.
#[inline(always)]
pub(super) fn check_v4(header: &Ipv4, packet: &Packet) -> Result<(), DropReason> {
    let malformed =
        header.version() != 4 || header.header_bytes() < ipv4::HEADER_BYTES || packet.ip_bytes < header.header_bytes();
    if malformed {
        return Err(DropReason::MalformedIp);
    }
    if header.is_later_fragment() { Err(DropReason::FragmentUnknown) } else { Ok(()) }
}

/// Whether the frame ends before the IP packet does. The kernel is asked about further buffers only if the first one does.
///
/// It is called where little else is at hand: what is must survive the call, and would be put aside for every packet.
#[inline(always)]
pub(super) fn is_cut_short(frame: &impl Frame, packet: &mut Packet) -> bool {
    let end = packet.network_offset + packet.ip_bytes;
    if end <= packet.frame_bytes {
        return false;
    }
    packet.frame_bytes = frame.total_length();
    end > packet.frame_bytes
}

/// What the IPv6 header at `offset` says.
#[inline(always)]
pub(super) fn v6(header: &Ipv6, offset: u32, frame_bytes: u32) -> Packet {
    Packet {
        network_offset: offset,
        transport_offset: offset + ipv6::HEADER_BYTES,
        frame_bytes,
        ip_bytes: ipv6::HEADER_BYTES + header.payload_bytes() as u32,
        source: Address::v6(header.source()),
        destination: Address::v6(header.destination()),
        protocol: header.next_header(),
        ttl: header.hop_limit(),
        traffic_class: header.traffic_class(),
        is_admitted: false,
        source_port: 0,
        destination_port: 0,
        rare: 0,
        transport: Transport::Other,
        defect: None,
    }
}

/// Whether a packet with this IPv6 header can be forwarded, if the frame has all of it; moves on to its transport header.
#[inline(always)]
pub(super) fn check_v6(frame: &impl Frame, header: &Ipv6, packet: &mut Packet) -> Result<(), DropReason> {
    // An IPv4-mapped address has no business on a wire, and the tables would take it for IPv4.
    let is_mapped = packet.source.is_v4() || packet.destination.is_v4();
    if header.version() != 6 || is_mapped {
        return Err(DropReason::MalformedIp);
    }
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(packet.protocol) {
            return Ok(());
        }
        skip_extension(frame, in_memory(packet))?;
    }
    if is_extension(packet.protocol) { Err(DropReason::ExtensionHeaders) } else { Ok(()) }
}

/// Whether a protocol number is that of an extension header that is walked over.
#[inline(always)]
const fn is_extension(number: u8) -> bool {
    matches!(
        number,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::AUTHENTICATION
            | protocol::FRAGMENT
    )
}

/// The length of an extension header with this number, in bytes.
#[inline(always)]
pub(super) const fn extension_bytes(number: u8, extension: &Extension) -> u32 {
    match number {
        protocol::FRAGMENT => size_of::<Fragment>() as u32,
        // RFC 4302, section 2.2: in units of four bytes, minus two.
        protocol::AUTHENTICATION => (extension.length as u32 + 2) * 4,
        _ => (extension.length as u32 + 1) * 8,
    }
}

/// Moves on behind the extension header at the transport offset.
#[inline(always)]
fn skip_extension(frame: &impl Frame, packet: &mut Packet) -> Result<(), DropReason> {
    let offset = packet.transport_offset;
    let extension = frame.header::<Extension>(offset).ok_or(DropReason::MalformedIp)?;
    let bytes = extension_bytes(packet.protocol, extension);
    if packet.protocol == protocol::FRAGMENT {
        let fragment = frame.header::<Fragment>(offset).ok_or(DropReason::MalformedIp)?;
        if fragment.is_fragmented() {
            packet.rare = offset as u16;
        }
        if fragment.is_later() {
            packet.protocol = fragment.next_header;
            return Err(DropReason::FragmentUnknown);
        }
    }
    packet.protocol = extension.next_header;
    packet.transport_offset = offset + bytes;
    Ok(())
}
