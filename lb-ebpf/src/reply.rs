//! Replies of `nat` backends: they pass the node, which makes them come from the service.
//!
//! Nothing is remembered per flow: a backend's address and port belong to one service (the configuration refuses
//! anything else), so the source of a packet alone tells what it must become.

use lb_common::{DropReason, EndpointKey, Features, Mac, ReplyValue, Settings};

use crate::{
    deliver::{self, Hop},
    frame::Frame,
    parse::{Packet, Transport},
    service::lookup::Endpoint,
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
    if !settings.replies.may_have(&packet.source) {
        return Ok(Way::PASS);
    }
    let Some(reply) = find(packet, tables) else { return Ok(Way::PASS) };
    // The backend may also talk to the node itself: the answer to a health check, say.
    let Some((ifindex, mac, source_mac)) = neighbour(packet, tables)? else { return Ok(Way::PASS) };
    deliver::reply(frame, packet, reply, Hop { ifindex, mac: &mac, source_mac: &source_mac, vlan: 0 })
}

/// The interface that leads to the packet's destination by the kernel's routes, the neighbour's MAC address and that
/// interface's; `None` if it is for the node itself, or the kernel knows no way.
#[inline(always)]
pub(crate) fn neighbour(packet: &Packet, tables: &impl Tables) -> Result<Option<(u32, Mac, Mac)>, DropReason> {
    match tables.route(packet) {
        Route::Local => Ok(None),
        Route::Neighbour { ifindex, mac, source_mac } => Ok(Some((ifindex, mac, source_mac))),
        Route::Unresolved { ifindex, address } => {
            tables.want_neighbour(ifindex, &address);
            Err(DropReason::NeighbourUnknown)
        }
        Route::TooBig => Err(DropReason::MtuExceeded),
        Route::Unreachable => Err(DropReason::NoRoute),
    }
}

/// What the packet's source stands for: exact port first, then any port.
///
/// Any port of a backend may be too many: where only ranges of them are the service's, it must be found there.
#[inline(always)]
fn find<'t>(packet: &Packet, tables: &'t impl Tables) -> Option<&'t ReplyValue> {
    if !matches!(packet.transport, Transport::Tcp { .. } | Transport::Udp) {
        return None;
    }
    let (port, protocol) = (packet.source_port, packet.protocol);
    let from = |port| tables.reply(&EndpointKey::new(packet.source, port, protocol));
    let reply = from(port).or_else(|| from(0))?;
    if reply.is_checked == 0 {
        return Some(reply);
    }
    let service = tables.service_at(Endpoint { address: &reply.address, port, protocol })?;
    (service.id == reply.service).then_some(reply)
}
