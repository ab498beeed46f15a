//! The node itself, if it is protected: what is for no service gets in if it is expected, or if the firewall says so.
//!
//! Expected is what belongs to a connection of the node's, for which the kernel is asked for the socket; what every host needs
//! to be a host (ICMP but redirects, neighbour discovery, DHCP); and what is not for the node, but is forwarded by it. So a
//! session that is open stays open. Nothing is remembered here.

use lb_common::{DropReason, Features, Sanity, Settings};

use crate::{
    frame::Frame,
    parse::{self, Packet, Transport},
    sanity,
    tables::{Route, Socket, Tables},
    verdict::Way,
    wire::{icmp::Icmp, protocol},
};

/// The ports of a DHCP server and client (RFC 2131), and those of DHCPv6 (RFC 8415).
const DHCP: (u16, u16) = (67, 68);
const DHCP_V6: (u16, u16) = (547, 546);

/// The way of a packet that is for no service: to the node's stack, past the question whether it may if it is protected.
#[inline(always)]
pub(crate) const fn way(packet: &Packet, settings: &Settings) -> Way {
    if settings.features & Features::PROTECT == 0 { Way::PASS } else { Way::NODE.admitted(packet.is_admitted) }
}

/// The road of packets for the protected node that the firewall has not let in for good. The frame is read again, for the
/// reason that [`crate::aside`] has.
#[inline(always)]
pub fn road(frame: &impl Frame, tables: &impl Tables) -> Way {
    attend(frame, tables).map_or_else(Way::drop_for, |()| Way::PASS)
}

#[inline(always)]
fn attend(frame: &impl Frame, tables: &impl Tables) -> Result<(), DropReason> {
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(()) };
    let Some(settings) = tables.settings() else { return Ok(()) };
    sanity::check(frame, packet, Sanity::OF_NODE, settings, tables)?;
    if is_expected(frame, packet, settings, tables) || is_forwarded(packet, tables) {
        return Ok(());
    }
    Err(packet.defect.unwrap_or(DropReason::NodeProtected))
}

/// Whether the node waits for the packet. A later fragment is of no use to anybody without the first one, which has the ports.
#[inline(always)]
fn is_expected(frame: &impl Frame, packet: &Packet, settings: &Settings, tables: &impl Tables) -> bool {
    match packet.transport {
        Transport::EchoRequest | Transport::Error => true,
        Transport::Tcp { .. } => tables.socket(packet) == Socket::Connected,
        Transport::Udp => is_dhcp(packet) || is_answer(packet, settings, tables),
        Transport::Other => packet.is_later_fragment() || (packet.defect.is_none() && is_housekeeping(frame, packet)),
    }
}

/// Whether a datagram is for a socket that has asked for one: it is connected, or it has a port that the kernel has chosen.
#[inline(always)]
fn is_answer(packet: &Packet, settings: &Settings, tables: &impl Tables) -> bool {
    match tables.socket(packet) {
        Socket::Connected => true,
        Socket::Open => settings.ephemeral.contains(packet.destination_port),
        Socket::None => false,
    }
}

/// Whether a datagram is a DHCP server's to its client, which often takes it from the wire, without a socket.
#[inline(always)]
const fn is_dhcp(packet: &Packet) -> bool {
    let (server, client) = if packet.is_v4() { DHCP } else { DHCP_V6 };
    packet.source_port == server && packet.destination_port == client
}

/// Whether a message of ICMP is an answer to an echo request, or what IPv6 cannot do without: neighbour and router discovery
/// (RFC 4861) and multicast listener discovery (RFC 3810). Redirects are not.
#[inline(always)]
fn is_housekeeping(frame: &impl Frame, packet: &Packet) -> bool {
    let (number, types): (u8, &[u8]) = if packet.is_v4() {
        (protocol::ICMP, &[0])
    } else {
        (protocol::ICMPV6, &[129, 130, 131, 132, 133, 134, 135, 136, 143])
    };
    packet.protocol == number
        && frame.header::<Icmp>(packet.transport_offset).is_some_and(|header| types.contains(&header.kind()))
}

/// Whether the packet is not for the node, but passes it. Where nothing is forwarded, all is for the node.
#[inline(always)]
fn is_forwarded(packet: &Packet, tables: &impl Tables) -> bool {
    !matches!(tables.route(packet), Route::Local | Route::Unreachable)
}
