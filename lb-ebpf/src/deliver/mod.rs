//! Bringing a packet to its backend.

mod gue;
mod ipip;
pub(crate) mod link;
mod nat;
mod outer;

use lb_common::{BackendFlags, Delivery, DropReason};

pub use self::link::Hop;
pub(crate) use self::nat::Endpoint;
use crate::{
    balance::Choice,
    frame::Frame,
    parse::Packet,
    verdict::Way,
    wire::{ipv4::Ipv4, ipv6::Ipv6},
};

/// Rewrites the packet for its backend and sends it on.
#[inline(always)]
pub(crate) fn to(frame: &mut impl Frame, packet: &Packet, choice: Choice<'_>) -> Result<Way, DropReason> {
    let backend = choice.backend;
    if backend.flags & BackendFlags::LOCAL != 0 {
        // The service's address is this node's own as well, and its stack answers the client.
        return Ok(Way::PASS);
    }
    let hop = Hop { ifindex: backend.ifindex, mac: &backend.mac, source_mac: &backend.source_mac, vlan: backend.vlan };
    spend_ttl(frame, packet)?;
    match Delivery::from_wire(backend.delivery) {
        Some(Delivery::L2) => {
            fits(packet.ip_bytes, backend.mtu)?;
            link::forward(frame, packet, hop)
        }
        Some(Delivery::Ipip) => ipip::encapsulate(frame, packet, backend, choice.hash, hop),
        Some(Delivery::Gue) => gue::encapsulate(frame, packet, backend, choice.hash, hop),
        Some(Delivery::Nat) => {
            fits(packet.ip_bytes, backend.mtu)?;
            nat::request(frame, packet, backend)?;
            link::forward(frame, packet, hop)
        }
        // A service of `full-nat` has sessions and does not come here.
        Some(Delivery::FullNat) | None => Err(DropReason::Inconsistent),
    }
}

/// Rewrites both ends of a packet, and sends it on.
#[inline(always)]
pub(crate) fn between(
    frame: &mut impl Frame,
    packet: &Packet,
    source: Endpoint<'_>,
    destination: Endpoint<'_>,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    spend_ttl(frame, packet)?;
    nat::both(frame, packet, source, destination)?;
    link::forward(frame, packet, hop)
}

/// Rewrites a `nat` backend's reply so that it comes from the service, and sends it on.
#[inline(always)]
pub(crate) fn reply(
    frame: &mut impl Frame,
    packet: &Packet,
    reply: &lb_common::ReplyValue,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    spend_ttl(frame, packet)?;
    nat::reply(frame, packet, reply)?;
    link::forward(frame, packet, hop)
}

/// Whether an IP packet of this length fits the way.
#[inline(always)]
pub(crate) const fn fits(ip_bytes: u32, mtu: u16) -> Result<(), DropReason> {
    if ip_bytes > mtu as u32 { Err(DropReason::MtuExceeded) } else { Ok(()) }
}

/// Takes one from the time to live, as every router does (RFC 1812, section 5.3.1).
#[inline(always)]
fn spend_ttl(frame: &mut impl Frame, packet: &Packet) -> Result<(), DropReason> {
    if packet.ttl <= 1 {
        return Err(DropReason::TtlExpired);
    }
    if packet.is_v4() {
        let header = frame.header_mut::<Ipv4>(packet.network_offset).ok_or(DropReason::Inconsistent)?;
        header.decrement_ttl();
    } else {
        let header = frame.header_mut::<Ipv6>(packet.network_offset).ok_or(DropReason::Inconsistent)?;
        header.set_hop_limit(packet.ttl - 1);
    }
    Ok(())
}
