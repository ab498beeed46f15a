//! Replies of `nat` backends: they pass the node, which makes them come from the service.
//!
//! Nothing is remembered per flow: a backend's address and port belong to one service (the configuration refuses
//! anything else), so the source of a packet alone tells what it must become.

use lb_common::{Address, DropReason, EndpointKey, Features, ReplyValue, Settings};

use crate::{
    deliver::{self, Endpoint, Hop, Part},
    frame::Frame,
    node,
    parse::{Packet, Transport},
    service::lookup,
    tables::{Route, Tables},
    verdict::Way,
};

/// Translates the packet if it is a reply; leaves it to the node otherwise.
#[inline(always)]
pub(crate) fn translate(
    frame: &mut impl Frame,
    packet: &Packet,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    if settings.features & (Features::NAT | Features::PROTECT) == 0 {
        return Ok(Way::PASS);
    }
    let reply = if packet.defect.is_none() { find(packet, settings, tables) } else { None };
    match reply {
        Some(reply) => send(frame, packet, Part::Packet, (&reply.address, reply.port), tables),
        None => Ok(node::way(packet, settings)),
    }
}

/// Makes a packet come from a service's address and port (0 keeps the backend's), and sends it on by the kernel's route.
#[inline(always)]
pub(crate) fn send(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    service: (&Address, u16),
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    by_route(frame, packet, part, packet, Rewrite::Reply(service), tables)
}

/// What is rewritten of a packet that leaves by the kernel's route.
pub(crate) enum Rewrite<'a> {
    /// Its source: address and port (0 keeps it).
    Reply((&'a Address, u16)),
    /// Its source and its destination.
    Both(Endpoint<'a>, Endpoint<'a>),
}

/// Lets a packet leave by the kernel's route for what it becomes. A reply that stays here is the node's own, and passes: the
/// answer to a health check, say. A session's packet is nobody's here.
#[inline(always)]
pub(crate) fn by_route(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    becomes: &Packet,
    rewrite: Rewrite<'_>,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    match tables.route(becomes) {
        Route::Local => match rewrite {
            Rewrite::Reply(_) => Ok(tables.settings().map_or(Way::PASS, |settings| node::way(packet, settings))),
            Rewrite::Both(..) => Err(DropReason::NoRoute),
        },
        Route::Neighbour { ifindex, mac, source_mac } => {
            let hop = Hop { ifindex, mac: &mac, source_mac: &source_mac, vlan: 0 };
            match rewrite {
                Rewrite::Reply(service) => deliver::reply(frame, packet, part, service, hop),
                Rewrite::Both(source, destination) => deliver::between(frame, packet, part, source, destination, hop),
            }
        }
        Route::Unresolved { ifindex, address } => {
            tables.want_neighbour(ifindex, &address);
            Err(DropReason::NeighbourUnknown)
        }
        Route::TooBig { mtu } => deliver::refuse(packet, part, mtu),
        Route::Unreachable => Err(DropReason::NoRoute),
    }
}

/// What the packet's source stands for: exact port first, then any port.
///
/// Any port of a backend may be too many: where only ranges of them are the service's, it must be found there.
#[inline(always)]
pub(crate) fn find<'t>(packet: &Packet, settings: &Settings, tables: &'t impl Tables) -> Option<&'t ReplyValue> {
    if !settings.replies.may_have(&packet.source) || !matches!(packet.transport, Transport::Tcp { .. } | Transport::Udp)
    {
        return None;
    }
    let (port, protocol) = (packet.source_port, packet.protocol);
    let from = |port| tables.reply(&EndpointKey::new(packet.source, port, protocol));
    let reply = from(port).or_else(|| from(0))?;
    if reply.is_checked == 0 {
        return Some(reply);
    }
    let service = tables.service_at(lookup::Endpoint { address: &reply.address, port, protocol })?;
    (service.id == reply.service).then_some(reply)
}
