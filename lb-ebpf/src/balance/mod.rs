//! Which backend a packet goes to.
//!
//! The ring says it for a settled row. Only the rows that a change has touched ask the flow table. A QUIC connection id
//! that names a server goes before both.

pub mod flows;
pub mod fragments;
pub mod quic;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;

use lb_common::{BackendFlags, BackendValue, DropReason, Flow, Row, RowState, ServiceValue, Settings, Trail};

use self::{flows::Arrival, quic::Named};
use crate::{frame::Frame, parse::Packet, syn, tables::Tables};

/// The backend that was chosen for a packet, and the hash that chose it.
#[derive(Clone, Copy)]
pub struct Choice<'t> {
    /// The backend.
    pub backend: &'t BackendValue,
    /// The flow's hash: entropy for outer headers. All flows of a client share it where the service tells them apart by client.
    pub hash: u64,
    /// The backend's slot.
    pub slot: u16,
}

/// What a packet of a flow may do to the flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be noted there, if it is the client's.
    Track,
    /// Only be looked up, if it is the one that an ICMP error quotes: anybody can forge those.
    Look,
}

/// Chooses the backend, and counts the packet for it and for the service.
#[inline(always)]
pub fn choose<'t>(
    frame: &impl Frame,
    packet: &Packet,
    service: &ServiceValue,
    access: Access,
    settings: &Settings,
    tables: &'t impl Tables,
) -> Result<Choice<'t>, DropReason> {
    // A service that speaks QUIC has datagrams only.
    let named = match service.connection_ids() {
        Some(ids) => tables.named(frame, packet.transport_offset, service.id, ids, access),
        None => Named::NOBODY,
    };
    let opens = packet.opens_flow() || named.opens();
    let (bytes, flows) = (packet.frame_bytes as u64, opens as u64);
    tables.count_service(service.id.into(), bytes, flows);
    let hash = hash(&packet.flow(), service, settings, tables);
    if access == Access::Track {
        syn::observe(packet, hash, service, tables);
    }
    let slot = match named.slot() {
        Row::NOBODY => owner(packet, hash, opens, service, access, tables)?,
        slot => slot,
    };
    if slot == Row::NOBODY {
        return Err(DropReason::NoBackend);
    }
    let backend = reachable(slot, tables)?;
    tables.count_backend(slot, bytes, flows);
    Ok(Choice { backend, hash, slot })
}

/// The backend of a later fragment, which goes where the first one with this hash went; counts the packet.
#[inline(always)]
pub fn follow<'t>(packet: &Packet, hash: u64, trail: Trail, tables: &'t impl Tables) -> Result<Choice<'t>, DropReason> {
    let slot = trail.backend().ok_or(DropReason::FragmentUnknown)?;
    let backend = reachable(slot, tables)?;
    let bytes = packet.frame_bytes as u64;
    tables.count_service(backend.service.into(), bytes, 0);
    tables.count_backend(slot, bytes, 0);
    Ok(Choice { backend, hash, slot })
}

/// The backend in a slot, if its next hop is known.
#[inline(always)]
pub(crate) fn reachable(slot: u16, tables: &impl Tables) -> Result<&BackendValue, DropReason> {
    let backend = tables.backend(slot).ok_or(DropReason::Inconsistent)?;
    if backend.flags & BackendFlags::RESOLVED == 0 {
        return Err(DropReason::NextHopUnresolved);
    }
    Ok(backend)
}

/// [`ServiceValue::hash`]: where any packet of a flow to this service goes, one that comes with an error included.
#[inline(always)]
pub fn hash(flow: &Flow, service: &ServiceValue, settings: &Settings, tables: &impl Tables) -> u64 {
    if service.is_by_client() { tables.client_hash(flow, service) } else { flow.hash(&settings.hash_key) }
}

/// The slot of the backend that the ring, or for an unsettled row the flow table, says.
#[inline(always)]
pub(crate) fn owner(
    packet: &Packet,
    hash: u64,
    opens: bool,
    service: &ServiceValue,
    access: Access,
    tables: &impl Tables,
) -> Result<u16, DropReason> {
    let row =
        tables.row(service.ring.into(), row_index(hash, service.ring_bits.into())).ok_or(DropReason::Inconsistent)?;
    Ok(match row.state() {
        RowState::Settled => row.current(),
        RowState::Moving | RowState::Lookup if access == Access::Look => tables.look(hash, row),
        RowState::Moving | RowState::Lookup => {
            let (closes, by_client) = (packet.closes_flow(), service.is_by_client());
            tables.steer(Arrival { hash, row, service: service.id.into(), opens, closes, by_client })
        }
    })
}

/// The row of a hash in a ring of `1 << bits` rows: its top bits, so that growing a ring splits its rows.
#[inline(always)]
pub const fn row_index(hash: u64, bits: u32) -> u32 {
    (hash >> (64 - (bits & 31))) as u32
}
