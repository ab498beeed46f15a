//! The outer IP header of an encapsulation, in the family of the backend's address.

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

/// Puts an outer IP header in front of the packet, with room for `shim_bytes` between the two, and the link header before
/// it. Returns where that room begins, and the way out.
///
/// DSCP and ECN are copied to the outer header (RFC 6040, normal mode), so that congestion is still seen.
#[inline(always)]
pub(super) fn put(
    frame: &mut impl Frame,
    packet: &Packet,
    (backend, hash): (&BackendValue, u64),
    hop: Hop<'_>,
    protocol: u8,
    shim_bytes: u32,
) -> Result<(u32, Way), DropReason> {
    let payload_bytes = packet.ip_bytes + shim_bytes;
    // It fits 16 bits, because the packet fits the way.
    let bytes = payload_bytes as u16;
    if backend.address.is_v4() {
        let (offset, way) = link::wrap(frame, packet, hop, ipv4::HEADER_BYTES + shim_bytes, ethernet::IPV4)?;
        *frame.header_mut(offset).ok_or(DropReason::Inconsistent)? =
            Ipv4::encapsulation(backend.source.low(), backend.address.low(), protocol, bytes, packet.traffic_class);
        return Ok((offset + ipv4::HEADER_BYTES, way));
    }
    let (offset, way) = link::wrap(frame, packet, hop, ipv6::HEADER_BYTES + shim_bytes, ethernet::IPV6)?;
    *frame.header_mut(offset).ok_or(DropReason::Inconsistent)? =
        Ipv6::encapsulation(backend.source.0, backend.address.0, protocol, bytes, packet.traffic_class, hash as u32);
    Ok((offset + ipv6::HEADER_BYTES, way))
}

/// The protocol number of a packet as the payload of another.
#[inline(always)]
pub(super) const fn inner_protocol(packet: &Packet) -> u8 {
    if packet.is_v4() { protocol::IPV4 } else { protocol::IPV6 }
}
