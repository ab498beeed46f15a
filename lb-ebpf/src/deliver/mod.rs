//! Bringing a packet to its backend.

mod gue;
mod ipip;
pub(crate) mod link;
mod nat;
mod outer;
mod quote;

use lb_common::{Address, BackendFlags, Delivery, DropReason};

pub use self::link::Hop;
pub(crate) use self::nat::Endpoint;
use crate::{
    balance::Choice,
    frame::Frame,
    parse::Packet,
    verdict::Way,
    wire::{ipv4::Ipv4, ipv6::Ipv6},
};

/// What of a packet `nat` translates, and where that stands.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    /// The packet's addresses and ports.
    Packet,
    /// A later fragment's addresses: it has no ports.
    Fragment,
    /// An ICMP error's addresses, and addresses and ports of what it quotes: here turned round, see [`crate::parse::quoted`].
    Error(&'a Packet),
}

/// Rewrites the packet for its backend and sends it on.
#[inline(always)]
pub(crate) fn to(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    choice: Choice<'_>,
) -> Result<Way, DropReason> {
    let backend = choice.backend;
    if backend.flags & BackendFlags::LOCAL != 0 {
        // The service's address is this node's own as well, and its stack answers the client.
        return Ok(Way::PASS);
    }
    let hop = Hop { ifindex: backend.ifindex, mac: &backend.mac, source_mac: &backend.source_mac, vlan: backend.vlan };
    if packet.ip_bytes > backend.max_bytes as u32 {
        return refuse(packet, part, backend.max_bytes);
    }
    spend_ttl(frame, packet)?;
    match Delivery::from_wire(backend.delivery) {
        Some(Delivery::L2) => link::forward(frame, packet, hop),
        Some(Delivery::Ipip) => ipip::encapsulate(frame, packet, backend, choice.hash, hop),
        Some(Delivery::Gue) => gue::encapsulate(frame, packet, backend, choice.hash, hop),
        Some(Delivery::Nat) => {
            nat::request(frame, packet, part, backend)?;
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
    part: Part<'_>,
    source: Endpoint<'_>,
    destination: Endpoint<'_>,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    spend_ttl(frame, packet)?;
    nat::both(frame, packet, part, source, destination)?;
    link::forward(frame, packet, hop)
}

/// Rewrites a `nat` backend's reply so that it comes from the service's address and port (0 keeps the backend's), and sends
/// it on.
#[inline(always)]
pub(crate) fn reply(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    service: (&Address, u16),
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    spend_ttl(frame, packet)?;
    nat::reply(frame, packet, part, service)?;
    link::forward(frame, packet, hop)
}

/// Drops a packet that fits no way that carries only so many bytes. Its sender is told, but no error is answered with an
/// error, and of a fragmented packet only the first part (RFC 1812, section 4.3.2.7).
#[inline(always)]
pub(crate) const fn refuse(packet: &Packet, part: Part<'_>, max_bytes: u16) -> Result<Way, DropReason> {
    if packet.ttl <= 1 {
        return Err(DropReason::TtlExpired);
    }
    match part {
        Part::Packet => Ok(Way::misfit(max_bytes)),
        Part::Fragment | Part::Error(_) => Err(DropReason::MtuExceeded),
    }
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
