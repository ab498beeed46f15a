//! `full-nat`: both ends of a packet are replaced, so that a backend answers the node, and sessions remember whom an answer is
//! for.
//!
//! A client's packet looks its session up by the flow's hash; a backend's packet names it by the node's port that it is sent
//! to. Only a TCP SYN and a datagram open one. A session decides the backend for as long as that one serves, whatever the ring
//! says; so this delivery needs neither flow table nor unsettled rows.

mod errors;
mod fragments;
mod open;
mod rules;

use core::ops::Deref;

use lb_common::{
    DirectoryEntry, DropReason, NodeAddress, Second, ServiceValue, Session, SessionId, SessionState, Settings,
};

pub(crate) use self::errors::is_about_session;
pub use self::{
    errors::{carry_error, error_road},
    fragments::follow,
    open::{Ports, free_port, open},
};
use crate::{
    balance,
    deliver::{self, Endpoint, Hop, Part},
    frame::Frame,
    node,
    parse::{self, Packet, Transport},
    reply::{self, Rewrite},
    sanity, service, syn,
    tables::Tables,
    verdict::Way,
};

/// What the rules need to know of sessions and may change. Other CPUs and user space read and write them at the same time.
pub trait SessionTable: Tables {
    /// The time.
    fn now(&self) -> Second;

    /// A set of the directory.
    fn directory(&self, set: u32) -> Option<impl Directory>;

    /// The session with a number.
    fn session(&self, id: SessionId) -> Option<impl Cell>;

    /// An address of the node, by its number.
    fn node_address(&self, number: u32) -> Option<&NodeAddress>;

    /// This CPU's number, and how many CPUs there are.
    fn cpu(&self) -> (u32, u32);

    /// Where this CPU goes on to look for a free port of one protocol of a node's address.
    fn cursor(&self, address: u32, is_tcp: bool) -> u32;

    /// Moves that on.
    fn set_cursor(&self, address: u32, is_tcp: bool, cursor: u32);

    /// What [`free_port`] says, asked of the tables for the reason that [`Tables::steer`] is.
    fn free_port(&self, ports: Ports, now: Second) -> u64;
}

/// A set of the directory.
pub trait Directory {
    /// The entry in a way, below [`lb_common::DIRECTORY_WAYS`].
    fn entry(&self, way: u32) -> DirectoryEntry;

    /// Replaces an entry, if it is still what it was.
    fn replace(&self, way: u32, old: DirectoryEntry, new: DirectoryEntry) -> bool;
}

/// An element of the `sessions` array.
pub trait Cell {
    /// The state.
    fn state(&self) -> SessionState;

    /// Replaces the state, if it is still what it was.
    fn replace(&self, old: SessionState, new: SessionState) -> bool;

    /// The session. Its words are valid only as [`SessionState`] says.
    fn session(&self) -> impl Deref<Target = Session>;

    /// Writes all but the state.
    fn write(&self, session: &Session);
}

/// The road of packets to services with sessions, which the firewall has let in. The frame is read again, because the kernel's
/// verifier looks at this road by itself, and so that it has the whole stack.
#[inline(always)]
pub fn road(frame: &mut impl Frame, tables: &impl Tables) -> Way {
    attend(frame, tables).unwrap_or_else(Way::drop_for)
}

#[inline(always)]
fn attend(frame: &mut impl Frame, tables: &impl Tables) -> Result<Way, DropReason> {
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(Way::PASS) };
    if packet.is_later_fragment() {
        let way = tables.follow(frame, packet)?;
        return if way.max_bytes().is_some() { Err(DropReason::MtuExceeded) } else { Ok(way) };
    }
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    let Some(service) = service::find(packet, settings, tables)? else { return Ok(Way::PASS) };
    translate(frame, packet, &service, settings, tables)
}

/// Brings a packet for which a service's or a node address's entry has been found to where its session says, and opens one for
/// it if it may.
#[inline(always)]
fn translate(
    frame: &mut impl Frame,
    packet: &Packet,
    service: &ServiceValue,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    // What comes to the node's own address is nobody's to judge.
    if !service.is_node_address() {
        sanity::check(frame, packet, sanity::element(service), settings, tables)?;
        service::admit(packet, *service, tables)?;
        if packet.is_fragment() && syn::refuses_fragment(packet, service) {
            return Err(DropReason::SynUnproved);
        }
        if syn::guard(frame, packet, *service, tables)? {
            return Ok(Way::TRANSMIT);
        }
        if service.is_watched() {
            syn::observe(packet, packet.flow().hash(&settings.hash_key), service, tables);
        }
        tables.count_service(service.id.into(), packet.frame_bytes as u64, packet.opens_flow() as u64);
    }
    match tables.carry(frame, packet, service) {
        Err(DropReason::SessionUnknown) if packet.opens_flow() || packet.transport == Transport::Udp => {
            tables.open(packet, service)?;
            tables.carry(frame, packet, service)
        }
        carried => carried,
    }
}

/// Brings a packet to where its session says, if it has one.
#[inline(always)]
pub fn carry(
    frame: &mut impl Frame,
    packet: &Packet,
    service: &ServiceValue,
    tables: &impl SessionTable,
) -> Result<Way, DropReason> {
    let settings = tables.settings().ok_or(DropReason::Inconsistent)?;
    if service.is_node_address() {
        // What no session expects is the node's own.
        let id = SessionId::new(service.id.into(), rules::is_tcp(packet), packet.destination_port);
        let Some(cell) = rules::answered(packet, id, tables) else { return Ok(node::way(packet, settings)) };
        fragments::lead(frame, packet, id, settings, tables)?;
        return back(frame, packet, Part::Packet, &cell.session(), tables);
    }
    let flow = packet.flow();
    let id = rules::known(packet, &flow, flow.hash(&settings.hash_key), tables).ok_or(DropReason::SessionUnknown)?;
    fragments::lead(frame, packet, id, settings, tables)?;
    forth(frame, packet, Part::Packet, id, tables)
}

/// From the client to the backend.
#[inline(always)]
fn forth(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    id: SessionId,
    tables: &impl SessionTable,
) -> Result<Way, DropReason> {
    // An address that was taken away takes its sessions with it.
    let node =
        tables.node_address(id.address()).filter(|node| node.first_port != 0).ok_or(DropReason::SessionUnknown)?;
    let cell = tables.session(id).ok_or(DropReason::Inconsistent)?;
    let session = cell.session();
    let backend = balance::reachable(session.slot, tables)?;
    tables.count_backend(session.slot, packet.frame_bytes as u64, packet.opens_flow() as u64);
    if packet.ip_bytes > backend.max_bytes as u32 {
        return deliver::refuse(packet, part, backend.max_bytes);
    }
    let source = Endpoint { address: &node.address, port: id.port() };
    let destination = Endpoint { address: &session.backend, port: session.backend_port };
    let hop = Hop { ifindex: backend.ifindex, mac: &backend.mac, source_mac: &backend.source_mac, vlan: backend.vlan };
    deliver::between(frame, packet, part, source, destination, hop)
}

/// From the backend to the client.
#[inline(always)]
fn back(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    session: &Session,
    tables: &impl SessionTable,
) -> Result<Way, DropReason> {
    let has_ports = matches!(part, Part::Packet);
    // The kernel is asked for the way of the packet that leaves.
    let translated = Packet {
        source: session.service,
        destination: session.client,
        source_port: if has_ports { session.service_port } else { 0 },
        destination_port: if has_ports { session.client_port } else { 0 },
        ..*packet
    };
    let source = Endpoint { address: &session.service, port: session.service_port };
    let destination = Endpoint { address: &session.client, port: session.client_port };
    reply::by_route(frame, packet, part, &translated, Rewrite::Both(source, destination), tables)
}
