//! `ipip`: an outer IP header in front (RFC 2003 for IPv4 in IPv4, RFC 2473 for what is carried by IPv6, RFC 4213 for
//! IPv6 in IPv4). The backend takes it off and answers the client itself.

use lb_common::{BackendValue, DropReason};

use super::link::{self, Hop};
use crate::{
    frame::Frame,
    parse::Packet,
    verdict::Way,
    wire::{
        ethernet,
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        protocol,
    },
};

/// Encapsulates the packet in the family of the backend's address.
///
/// DSCP and ECN are copied to the outer header (RFC 6040, normal mode), so that congestion is still seen.
#[inline(always)]
pub(super) fn encapsulate(
    frame: &mut impl Frame,
    packet: &Packet,
    backend: &BackendValue,
    hash: u64,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    let inner = if packet.is_v4() { protocol::IPV4 } else { protocol::IPV6 };
    // The inner length fits 16 bits: a frame is shorter than 64 KiB.
    let bytes = packet.ip_bytes as u16;
    if backend.address.is_v4() {
        let (offset, way) = link::wrap(frame, packet, hop, ipv4::HEADER_BYTES, ethernet::IPV4)?;
        *frame.header_mut(offset).ok_or(DropReason::Inconsistent)? =
            Ipv4::encapsulation(backend.source.low(), backend.address.low(), inner, bytes, packet.traffic_class);
        return Ok(way);
    }
    let (offset, way) = link::wrap(frame, packet, hop, ipv6::HEADER_BYTES, ethernet::IPV6)?;
    *frame.header_mut(offset).ok_or(DropReason::Inconsistent)? =
        Ipv6::encapsulation(backend.source.0, backend.address.0, inner, bytes, packet.traffic_class, hash as u32);
    Ok(way)
}
