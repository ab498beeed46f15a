//! Which session a packet belongs to, and what it does to the session.

use lb_common::{BackendFlags, DIRECTORY_WAYS, DirectoryEntry, DirectoryPlace, Flow, Mark, Session, SessionId};

use super::{Cell, Directory, SessionTable};
use crate::{
    parse::{Packet, Transport},
    wire::tcp::flags::{FIN, RST},
};

/// How often it is tried to change a state that another CPU changes at the same time. Two packets of one session can meet
/// once a second in this way; three do not.
const ATTEMPTS: u32 = 2;

/// The session of a client's packet, if there is one whose backend still serves; a SYN wants one that is not spent.
#[inline(always)]
pub(super) fn known(packet: &Packet, flow: &Flow, hash: u64, tables: &impl SessionTable) -> Option<SessionId> {
    let set = tables.directory(DirectoryPlace::of(hash, 0).set())?;
    let (_, entry) = find(&set, |entry| entry.is_of(hash))?;
    let id = entry.session();
    let cell = tables.session(id)?;
    let opens = packet.opens_flow();
    let wanted = |session: &Session, is_spent| {
        id.is_tcp() == is_tcp(packet) && session.is_of(flow) && !(opens && is_spent) && serves(session, tables)
    };
    touch(&cell, packet, true, tables, wanted).then_some(id)
}

/// The session of a packet that was sent to a port of a node's address, if it comes from that session's backend.
#[inline(always)]
pub(super) fn answered<'t>(packet: &Packet, id: SessionId, tables: &'t impl SessionTable) -> Option<impl Cell + 't> {
    let cell = tables.session(id)?;
    let wanted = |session: &Session, _| is_from(packet, session);
    touch(&cell, packet, false, tables, wanted).then_some(cell)
}

/// The session of the packet that an ICMP error from the client's side is about: as [`known`] says, but nothing is noted.
#[inline(always)]
pub(super) fn recalled(packet: &Packet, flow: &Flow, hash: u64, tables: &impl SessionTable) -> Option<SessionId> {
    let set = tables.directory(DirectoryPlace::of(hash, 0).set())?;
    let (_, entry) = find(&set, |entry| entry.is_of(hash))?;
    let id = entry.session();
    let cell = tables.session(id)?;
    let is_it = |session: &Session| id.is_tcp() == is_tcp(packet) && session.is_of(flow) && serves(session, tables);
    (cell.state().is_open() && is_it(&cell.session())).then_some(id)
}

/// The same for an error from the backend's side: as [`answered`] says.
#[inline(always)]
pub(super) fn asked<'t>(packet: &Packet, address: u32, tables: &'t impl SessionTable) -> Option<impl Cell + 't> {
    let cell = tables.session(SessionId::new(address, is_tcp(packet), packet.destination_port))?;
    let is_it = is_from(packet, &cell.session());
    (cell.state().is_open() && is_it).then_some(cell)
}

/// Whether a packet comes from the session's backend.
#[inline(always)]
fn is_from(packet: &Packet, session: &Session) -> bool {
    session.backend == packet.source && session.backend_port == packet.source_port
}

/// Notes a packet in its session's state; whether it was a session as `is_wanted` asks for, given the session and whether
/// it is spent. Afterwards the session's words are valid for as long as a packet is under way.
#[inline(always)]
fn touch(
    cell: &impl Cell,
    packet: &Packet,
    from_client: bool,
    tables: &impl SessionTable,
    is_wanted: impl Fn(&Session, bool) -> bool,
) -> bool {
    for _ in 0..ATTEMPTS {
        let state = cell.state();
        if !state.is_open() || !is_wanted(&cell.session(), state.is_spent()) {
            return false;
        }
        let after = state.after(mark(packet, from_client), is_tcp(packet), tables.now());
        if after == state || cell.replace(state, after) {
            return true;
        }
    }
    false
}

/// Whether the session's backend is the one that it was, and may be given packets.
#[inline(always)]
pub(super) fn serves(session: &Session, tables: &impl SessionTable) -> bool {
    tables
        .backend(session.slot)
        .is_some_and(|backend| backend.flags & BackendFlags::SERVES != 0 && backend.address == session.backend)
}

/// What a packet tells of its session.
#[inline(always)]
const fn mark(packet: &Packet, from_client: bool) -> Mark {
    let flags = if let Transport::Tcp { flags } = packet.transport { flags } else { 0 };
    match from_client {
        _ if flags & RST != 0 => Mark::Reset,
        true if flags & FIN != 0 => Mark::ClientFin,
        true if packet.opens_flow() => Mark::Opening,
        true => Mark::Client,
        false if flags & FIN != 0 => Mark::BackendFin,
        false => Mark::Backend,
    }
}

/// Services and node addresses are found for TCP and UDP only.
#[inline(always)]
pub(super) const fn is_tcp(packet: &Packet) -> bool {
    matches!(packet.transport, Transport::Tcp { .. })
}

/// The first entry of a set that is as wanted, and its way.
#[inline(always)]
pub(super) fn find(set: &impl Directory, is_wanted: impl Fn(DirectoryEntry) -> bool) -> Option<(u32, DirectoryEntry)> {
    for way in 0..DIRECTORY_WAYS {
        let entry = set.entry(way);
        if is_wanted(entry) {
            return Some((way, entry));
        }
    }
    None
}
