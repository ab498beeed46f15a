//! Replies of `nat` backends: they pass the node, which makes them come from the service.
//!
//! Nothing is remembered per flow: a backend's address and port belong to one service (the configuration refuses
//! anything else), so the source of a packet alone tells what it must become.

use lb_common::{DropReason, EndpointKey, Features, ReplyValue, Settings};

use crate::{
    deliver::{self, Hop, Part},
    frame::Frame,
    parse::{Packet, Transport},
    tables::{Route, Tables},
    verdict::Way,
};

/// Translates the packet if it is a reply; passes it otherwise.
#[inline(always)]
pub(crate) fn translate(
    frame: &mut impl Frame,
    packet: &Packet,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    if settings.features & Features::NAT == 0 || packet.defect.is_some() {
        return Ok(Way::PASS);
    }
    match find(packet, tables) {
        Some(reply) => send(frame, packet, Part::Packet, reply, tables),
        None => Ok(Way::PASS),
    }
}

/// Translates a packet that is a reply's, and sends it on by the kernel's route.
#[inline(always)]
pub(crate) fn send(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    reply: &ReplyValue,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    match tables.route(packet) {
        // The backend talks to the node itself: the answer to a health check, say.
        Route::Local => Ok(Way::PASS),
        Route::Neighbour { ifindex, mac, source_mac } => {
            deliver::reply(frame, packet, part, reply, Hop { ifindex, mac: &mac, source_mac: &source_mac })
        }
        Route::Unresolved { ifindex, address } => {
            tables.want_neighbour(ifindex, &address);
            Err(DropReason::NeighbourUnknown)
        }
        Route::TooBig { mtu } => Ok(Way::too_big(mtu)),
        Route::Unreachable => Err(DropReason::NoRoute),
    }
}

/// What the packet's source stands for: exact port first, then any port.
#[inline(always)]
pub(crate) fn find<'t>(packet: &Packet, tables: &'t impl Tables) -> Option<&'t ReplyValue> {
    if !matches!(packet.transport, Transport::Tcp { .. } | Transport::Udp) {
        return None;
    }
    tables
        .reply(&EndpointKey::new(packet.source, packet.source_port, packet.protocol))
        .or_else(|| tables.reply(&EndpointKey::new(packet.source, 0, packet.protocol)))
}
