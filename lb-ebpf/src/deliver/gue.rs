//! `gue`: an outer IP, a UDP and a GUE header in front (draft-ietf-intarea-gue, variant 0 without optional fields). The
//! backend takes them off and answers the client itself.
//!
//! To the network it is UDP, whose source port differs from flow to flow: receive queues and equal-cost paths spread it
//! like any other traffic, where many know no ports inside IP in IP.

use lb_common::{Address, BackendValue, Delivery, DropReason};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    link::Hop,
    outer::{self, inner_protocol},
};
use crate::{
    frame::Frame,
    parse::{Packet, Transport},
    verdict::Way,
    wire::{
        checksum::fold,
        gue::{self, Gue},
        ipv4,
        ipv6::{self, Ipv6},
        protocol,
        udp::{self, Udp},
    },
};

/// The first of the dynamic ports (RFC 6335, section 6): a flow's source port is this with 14 bits of its hash.
const FIRST_SOURCE_PORT: u16 = 49152;

/// What stands between the outer IP header and the packet.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
struct Shim {
    udp: Udp,
    gue: Gue,
}

const SHIM_BYTES: u32 = udp::HEADER_BYTES + gue::HEADER_BYTES;

const _: () = assert!(Delivery::Gue.overhead_bytes(true) == ipv4::HEADER_BYTES + SHIM_BYTES);
const _: () = assert!(Delivery::Gue.overhead_bytes(false) == ipv6::HEADER_BYTES + SHIM_BYTES);

/// Encapsulates the packet.
#[inline(always)]
pub(super) fn encapsulate(
    frame: &mut impl Frame,
    packet: &Packet,
    backend: &BackendValue,
    hash: u64,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    let source_port = FIRST_SOURCE_PORT | hash as u16;
    let bytes = packet.ip_bytes + SHIM_BYTES;
    let checksum = if backend.address.is_v4() { 0 } else { checksum(frame, packet, backend, source_port, bytes) };
    let (offset, way) = outer::put(frame, packet, (backend, hash), hop, protocol::UDP, SHIM_BYTES)?;
    let udp = Udp::new(source_port, backend.gue_port, bytes as u16, checksum);
    let shim = Shim { udp, gue: Gue::data(inner_protocol(packet)) };
    *frame.header_mut(offset).ok_or(DropReason::Inconsistent)? = shim;
    Ok(way)
}

/// The checksum of the outer UDP header, as it stands on the wire, over IPv6, which demands one (RFC 8200, section 8.1).
///
/// Where it could only be had by reading the payload it is left out, which RFC 6935 allows tunnels to do. Over IPv4 it
/// always is (RFC 768).
#[inline(always)]
fn checksum(frame: &impl Frame, packet: &Packet, backend: &BackendValue, source_port: u16, bytes: u32) -> u16 {
    let Some(inner) = inner_sum(frame, packet) else { return 0 };
    // The length stands in the pseudo header and in the UDP header.
    let sum = words(&backend.source)
        + words(&backend.address)
        + protocol::UDP as u64
        + 2 * bytes as u64
        + source_port as u64
        + backend.gue_port as u64
        + inner_protocol(packet) as u64
        + inner;
    match !fold(sum) {
        0 => 0xffff,
        checksum => checksum.to_be(),
    }
}

/// The one's complement sum over the whole packet, without looking at its payload: a segment with a right checksum sums up
/// to the complement of its pseudo header's sum, and an IPv4 header to nothing. (Linux calls that local checksum offload.)
///
/// `None` where the transport's checksum does not cover all that follows the IP header. Should a checksum of the client's be
/// wrong, the outer one is too, and whoever looks at either throws the packet away.
#[inline(always)]
fn inner_sum(frame: &impl Frame, packet: &Packet) -> Option<u64> {
    let transport_bytes = packet.network_offset + packet.ip_bytes - packet.transport_offset;
    if packet.is_rare() {
        return None;
    }
    match packet.transport {
        Transport::Tcp { .. } => {}
        Transport::Udp => {
            let header = frame.header::<Udp>(packet.transport_offset)?;
            if header.checksum == 0 || header.bytes() as u32 != transport_bytes {
                return None;
            }
        }
        Transport::EchoRequest | Transport::Error | Transport::Other => return None,
    }
    if packet.is_v4() {
        let pseudo = complement(packet.source.low())
            + complement(packet.destination.low())
            + complement(packet.protocol as u32)
            + complement(transport_bytes);
        return Some(pseudo);
    }
    if packet.transport_offset != packet.network_offset + ipv6::HEADER_BYTES {
        return None;
    }
    // Addresses and length stand in both headers, and cancel out.
    let header = frame.header::<Ipv6>(packet.network_offset)?;
    Some(header.first_word() as u64 + header.next_header_hop_limit() as u64 + complement(packet.protocol as u32))
}

/// The sum of an address's words.
#[inline(always)]
const fn words(address: &Address) -> u64 {
    let [a, b, c, d] = address.0;
    a as u64 + b as u64 + c as u64 + d as u64
}

/// What takes a word away from a one's complement sum.
#[inline(always)]
const fn complement(word: u32) -> u64 {
    !word as u64
}
