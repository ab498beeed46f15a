//! A new session: a port of the node, and an entry in the directory.
//!
//! Each CPU has a part of every address's ports to itself and goes through it in turn, so that CPUs do not meet and a port
//! rests for as long as it can. Only a few ports are looked at: a packet must not wait for a search. If none of them is free,
//! some of all CPUs' are looked at; then the oldest of those seen that may end at any time is taken (see
//! [`lb_common::SessionState::rank`]).

use lb_common::{
    BackendValue, DirectoryEntry, DirectoryPlace, DropReason, MAX_NODE_ADDRESSES, NodeAddress, Row, Second,
    ServiceValue, Session, SessionId, SessionState,
};

use super::{
    Cell, Directory, SessionTable,
    rules::{find, is_tcp},
};
use crate::{
    balance::{self, Access},
    parse::Packet,
};

/// How many ports are looked at in this CPU's part of an address's ports, and as many again among all of them. With four ports
/// of five in use, one search in a thousand finds nothing, and the client's next SYN begins another.
const PROBES: u32 = 16;

/// The rank of a port that may not be taken.
const NONE: u64 = u64::MAX;

/// Some of the ports of an address and protocol, and where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The session of the first.
    pub first: SessionId,
    /// How many there are.
    pub count: u32,
    /// How many are passed over; behind the last comes the first.
    pub start: u32,
}

/// The best of some ports, of which a few are looked at: its session's rank and number as one number. The less that is, the
/// rather may the port be taken.
#[inline(always)]
pub fn free_port(ports: Ports, now: Second, tables: &impl SessionTable) -> u64 {
    let mut best = NONE;
    for probe in 0..PROBES {
        let id = ports.first.plus(ports.start.wrapping_add(probe).checked_rem(ports.count).unwrap_or(0));
        let Some(cell) = tables.session(id) else { continue };
        let Some(rank) = cell.state().rank(id.is_tcp(), now) else { continue };
        best = best.min(u64::from(rank) << 32 | u64::from(id.number()));
        if rank == 0 {
            break;
        }
    }
    best
}

/// Whether a rank is that of a port which nobody needs.
#[inline(always)]
const fn is_free(rank: u64) -> bool {
    rank >> 32 == 0
}

/// Opens the session of a packet to a service that no session knows; its state is that of this second.
#[inline(always)]
pub fn open(packet: &Packet, service: &ServiceValue, tables: &impl SessionTable) -> Result<(), DropReason> {
    let settings = tables.settings().ok_or(DropReason::Inconsistent)?;
    let flow = packet.flow();
    let hash = flow.hash(&settings.hash_key);
    // Which backend is for the service to say; which session a packet belongs to is never told by the client alone.
    let chooses = if service.is_by_client() { tables.client_hash(&flow, service) } else { hash };
    let slot = balance::owner(packet, chooses, packet.opens_flow(), service, Access::Track, tables)?;
    if slot == Row::NOBODY {
        return Err(DropReason::NoBackend);
    }
    let backend = balance::reachable(slot, tables)?;
    let search = Search { backend, hash, is_tcp: is_tcp(packet), now: tables.now() };
    let id = search.take(tables).ok_or(DropReason::PortsExhausted)?;
    let cell = tables.session(id).ok_or(DropReason::Inconsistent)?;
    cell.write(&Session {
        state: SessionState::BUSY.word(),
        client: packet.source,
        service: packet.destination,
        backend: backend.address,
        client_port: packet.source_port,
        service_port: packet.destination_port,
        backend_port: if backend.port == 0 { packet.destination_port } else { backend.port },
        slot,
    });
    search.enter(id, &cell, tables).ok_or(DropReason::PortsExhausted)
}

/// A search for a port, and for a place in the directory.
struct Search<'t> {
    backend: &'t BackendValue,
    hash: u64,
    is_tcp: bool,
    now: Second,
}

impl Search<'_> {
    /// Finds a port, and makes its session ours to write. Whoever had it before is taken out of the directory.
    #[inline(always)]
    fn take(&self, tables: &impl SessionTable) -> Option<SessionId> {
        let best = self.best(tables);
        if best == NONE {
            return None;
        }
        let id = SessionId::from_number(best as u32);
        let cell = tables.session(id)?;
        let state = cell.state();
        state.rank(self.is_tcp, self.now)?;
        if !cell.replace(state, SessionState::BUSY) {
            return None;
        }
        let place = state.place();
        let set = tables.directory(place.set())?;
        let entry = set.entry(place.way());
        if entry.session() == id {
            set.replace(place.way(), entry, DirectoryEntry::EMPTY);
        }
        Some(id)
    }

    /// The best of the ports that are looked at: its session's rank and number, or [`NONE`].
    #[inline(always)]
    fn best(&self, tables: &impl SessionTable) -> u64 {
        let mut best = NONE;
        for turn in 0..2 * MAX_NODE_ADDRESSES {
            // Flows are spread over the addresses by bits of their hash that nothing else uses.
            let number = turn.wrapping_add((self.hash >> 20) as u32) & (MAX_NODE_ADDRESSES - 1);
            let Some(node) = tables.node_address(number).filter(|node| self.may_use(node)) else { continue };
            let is_own = turn < MAX_NODE_ADDRESSES;
            let ports = if is_own { self.own(number, node, tables) } else { self.all(number, node) };
            if ports.count == 0 {
                continue;
            }
            best = best.min(tables.free_port(ports, self.now));
            let is_free = is_free(best);
            if is_own {
                // Behind the port that was found, or behind those that were looked at.
                let found = (best as u32).wrapping_sub(ports.first.number()).wrapping_add(1);
                tables.set_cursor(number, self.is_tcp, if is_free { found } else { ports.start.wrapping_add(PROBES) });
            }
            if is_free {
                break;
            }
        }
        best
    }

    /// Whether packets to the backend may come from an address.
    #[inline(always)]
    fn may_use(&self, node: &NodeAddress) -> bool {
        let is_right = if node.is_shared != 0 {
            node.address.is_v4() == self.backend.address.is_v4()
        } else {
            node.address == self.backend.source
        };
        is_right && node.first_port != 0
    }

    /// This CPU's part of an address's ports, beginning where the last search ended.
    #[inline(always)]
    fn own(&self, address: u32, node: &NodeAddress, tables: &impl SessionTable) -> Ports {
        let (cpu, cpus) = tables.cpu();
        let share = |cpu: u32| (u64::from(node.ports()) * u64::from(cpu) / u64::from(cpus.max(1))) as u32;
        let (from, to) = (share(cpu), share(cpu.wrapping_add(1)));
        Ports {
            first: SessionId::new(address, self.is_tcp, node.first_port).plus(from),
            count: to.wrapping_sub(from),
            start: tables.cursor(address, self.is_tcp),
        }
    }

    /// All of an address's ports, beginning anywhere.
    #[inline(always)]
    fn all(&self, address: u32, node: &NodeAddress) -> Ports {
        let first = SessionId::new(address, self.is_tcp, node.first_port);
        Ports { first, count: node.ports(), start: self.hash as u32 }
    }

    /// Opens the session for others to see, and puts it into the directory. If there is no room, it is nobody's again.
    #[inline(always)]
    fn enter(&self, id: SessionId, cell: &impl Cell, tables: &impl SessionTable) -> Option<()> {
        let set = tables.directory(DirectoryPlace::of(self.hash, 0).set())?;
        let Some((way, old)) = self.room(&set, tables) else {
            cell.replace(SessionState::BUSY, SessionState::EMPTY);
            return None;
        };
        let opened = SessionState::opened(DirectoryPlace::of(self.hash, way), self.is_tcp, self.now);
        cell.replace(SessionState::BUSY, opened);
        if set.replace(way, old, DirectoryEntry::new(self.hash, id)) {
            return Some(());
        }
        cell.replace(opened, SessionState::EMPTY);
        None
    }

    /// A way for the flow's entry: the one that it had, an empty one, or one whose session nobody needs any more.
    #[inline(always)]
    fn room(&self, set: &impl Directory, tables: &impl SessionTable) -> Option<(u32, DirectoryEntry)> {
        let alone = |entry: DirectoryEntry| Ports { first: entry.session(), count: 1, start: 0 };
        let is_idle = |entry| is_free(tables.free_port(alone(entry), self.now));
        find(set, |entry| entry.is_of(self.hash))
            .or_else(|| find(set, DirectoryEntry::is_empty))
            .or_else(|| find(set, is_idle))
    }
}
