//! The network layer: IPv4 (RFC 791) and IPv6 (RFC 8200).

use lb_common::{Address, DropReason};

use super::{Packet, Transport};
use crate::{
    frame::Frame,
    wire::{
        ipv4::Ipv4,
        ipv6::{self, Extension, Fragment, Ipv6},
        protocol,
    },
};

/// How many IPv6 extension headers are walked over. RFC 8504 section 5.3 lets a node limit them; more than these
/// do not occur in honest traffic to a service.
const MAX_EXTENSIONS: u32 = 4;

/// The IPv4 packet whose header is at `offset`.
#[inline(always)]
pub(super) fn v4(frame: &impl Frame, offset: u32) -> Option<Packet> {
    let header = frame.header::<Ipv4>(offset)?;
    let header_bytes = header.header_bytes();
    let packet = Packet {
        network_offset: offset,
        transport_offset: offset + header_bytes,
        frame_bytes: frame.length(),
        ip_bytes: header.total_bytes() as u32,
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        protocol: header.protocol(),
        traffic_class: header.traffic_class(),
        ttl: header.ttl(),
        source_port: 0,
        destination_port: 0,
        fragmented: header.is_fragment(),
        transport: Transport::Other,
        defect: None,
    };
    let malformed = header.version() != 4
        || header_bytes < 20
        || packet.ip_bytes < header_bytes
        || offset + packet.ip_bytes > packet.frame_bytes;
    if malformed {
        return Some(packet.with_defect(DropReason::MalformedIp));
    }
    if header.is_later_fragment() {
        return Some(packet.with_defect(DropReason::FragmentUnknown));
    }
    Some(packet)
}

/// The IPv6 packet whose header is at `offset`.
#[inline(always)]
pub(super) fn v6(frame: &impl Frame, offset: u32) -> Option<Packet> {
    let header = frame.header::<Ipv6>(offset)?;
    let packet = Packet {
        network_offset: offset,
        transport_offset: offset + ipv6::HEADER_BYTES,
        frame_bytes: frame.length(),
        ip_bytes: ipv6::HEADER_BYTES + header.payload_bytes() as u32,
        source: Address::v6(header.source()),
        destination: Address::v6(header.destination()),
        protocol: header.next_header(),
        traffic_class: header.traffic_class(),
        ttl: header.hop_limit(),
        source_port: 0,
        destination_port: 0,
        fragmented: false,
        transport: Transport::Other,
        defect: None,
    };
    // An IPv4-mapped address has no business on a wire, and the tables would take it for IPv4.
    let mapped = packet.source.is_v4() || packet.destination.is_v4();
    if header.version() != 6 || mapped || offset + packet.ip_bytes > packet.frame_bytes {
        return Some(packet.with_defect(DropReason::MalformedIp));
    }
    Some(walk_extensions(frame, packet))
}

/// Moves on to the transport header.
#[inline(always)]
fn walk_extensions(frame: &impl Frame, mut packet: Packet) -> Packet {
    for _ in 0..MAX_EXTENSIONS {
        let Some(next) = behind_extension(frame, packet) else { return packet };
        if next.defect.is_some() {
            return next;
        }
        packet = next;
    }
    if is_extension(packet.protocol) { packet.with_defect(DropReason::ExtensionHeaders) } else { packet }
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

/// The packet with its transport offset behind the extension header there; `None` if there is none.
#[inline(always)]
fn behind_extension(frame: &impl Frame, mut packet: Packet) -> Option<Packet> {
    if !is_extension(packet.protocol) {
        return None;
    }
    let offset = packet.transport_offset;
    let Some(extension) = frame.header::<Extension>(offset) else {
        return Some(packet.with_defect(DropReason::MalformedIp));
    };
    let bytes = match packet.protocol {
        protocol::FRAGMENT => size_of::<Fragment>() as u32,
        // RFC 4302, section 2.2: in units of four bytes, minus two.
        protocol::AUTHENTICATION => (extension.length as u32 + 2) * 4,
        _ => (extension.length as u32 + 1) * 8,
    };
    if packet.protocol == protocol::FRAGMENT {
        let Some(fragment) = frame.header::<Fragment>(offset) else {
            return Some(packet.with_defect(DropReason::MalformedIp));
        };
        if fragment.is_later() {
            packet.protocol = fragment.next_header;
            return Some(packet.with_defect(DropReason::FragmentUnknown));
        }
        packet.fragmented |= fragment.is_fragmented();
    }
    packet.protocol = extension.next_header;
    packet.transport_offset = offset + bytes;
    Some(packet)
}
