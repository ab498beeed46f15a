//! Bringing a packet to its backend.

mod ipip;
pub(crate) mod link;
mod nat;
mod quote;

use lb_common::{BackendValue, Delivery, DropReason};

pub use self::link::Hop;
use crate::{
    balance::Choice,
    frame::Frame,
    parse::Packet,
    verdict::Way,
    wire::{
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
    },
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

/// Rewrites the packet for its backend and sends it on. A packet that does not fit is left as it is.
#[inline(always)]
pub(crate) fn to(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    choice: Choice<'_>,
) -> Result<Way, DropReason> {
    let backend = choice.backend;
    let hop = Hop { ifindex: backend.ifindex, mac: &backend.mac, source_mac: &backend.source_mac };
    let delivery = Delivery::from_wire(backend.delivery).ok_or(DropReason::Inconsistent)?;
    let fitting = (backend.mtu as u32).saturating_sub(overhead(delivery, backend));
    if packet.ip_bytes > fitting {
        return if packet.ttl <= 1 { Err(DropReason::TtlExpired) } else { Ok(Way::too_big(fitting as u16)) };
    }
    spend_ttl(frame, packet)?;
    match delivery {
        Delivery::L2 => link::forward(frame, packet, hop),
        Delivery::Ipip => ipip::encapsulate(frame, packet, backend, choice.hash, hop),
        Delivery::Nat => {
            nat::request(frame, packet, part, backend)?;
            link::forward(frame, packet, hop)
        }
    }
}

/// Rewrites a `nat` backend's reply so that it comes from the service, and sends it on.
#[inline(always)]
pub(crate) fn reply(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    reply: &lb_common::ReplyValue,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    spend_ttl(frame, packet)?;
    nat::reply(frame, packet, part, reply)?;
    link::forward(frame, packet, hop)
}

/// By how many bytes a delivery makes an IP packet longer.
#[inline(always)]
const fn overhead(delivery: Delivery, backend: &BackendValue) -> u32 {
    match delivery {
        Delivery::L2 | Delivery::Nat => 0,
        Delivery::Ipip if backend.address.is_v4() => ipv4::HEADER_BYTES,
        Delivery::Ipip => ipv6::HEADER_BYTES,
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
