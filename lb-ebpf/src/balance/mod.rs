//! Which backend a packet goes to.
//!
//! The ring says it for a settled row. Only the rows that a change has touched ask the flow table.

pub mod flows;
pub mod fragments;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;

use lb_common::{BackendFlags, BackendValue, DropReason, Row, RowState, ServiceValue, Settings};

use self::flows::Arrival;
use crate::{parse::Packet, tables::Tables};

/// The backend that was chosen for a packet, and the hash that chose it.
#[derive(Clone, Copy)]
pub struct Choice<'t> {
    /// The backend.
    pub backend: &'t BackendValue,
    /// The flow's hash: entropy for outer headers.
    pub hash: u64,
    /// The backend's slot.
    pub slot: u16,
}

/// What a packet may do to the flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be noted there, as a packet of its flow.
    Track,
    /// Only be looked up: ICMP errors may be forged, and fragments say too little.
    Look,
}

/// Chooses the backend, and counts the packet for it and for the service.
#[inline(always)]
pub fn choose<'t>(
    packet: &Packet,
    service: &ServiceValue,
    access: Access,
    settings: &Settings,
    tables: &'t impl Tables,
) -> Result<Choice<'t>, DropReason> {
    let (bytes, flows) = (packet.frame_bytes as u64, packet.opens_flow() as u64);
    tables.count_service(service.id.into(), bytes, flows);
    let hash = packet.flow().hash(&settings.hash_key);
    let row =
        tables.row(service.ring.into(), row_index(hash, service.ring_bits.into())).ok_or(DropReason::Inconsistent)?;
    let slot = match row.state() {
        RowState::Settled => row.current(),
        RowState::Moving | RowState::Lookup if access == Access::Look => tables.look(hash, row),
        RowState::Moving | RowState::Lookup => {
            let (opens, closes) = (packet.opens_flow(), packet.closes_flow());
            tables.steer(Arrival { hash, row, service: service.id.into(), opens, closes })
        }
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
pub fn follow<'t>(packet: &Packet, hash: u64, tables: &'t impl Tables) -> Result<Choice<'t>, DropReason> {
    let slot = tables.fragment(hash).ok_or(DropReason::FragmentUnknown)?;
    let backend = reachable(slot, tables)?;
    let bytes = packet.frame_bytes as u64;
    tables.count_service(backend.service.into(), bytes, 0);
    tables.count_backend(slot, bytes, 0);
    Ok(Choice { backend, hash, slot })
}

/// The backend in a slot, if its next hop is known.
#[inline(always)]
fn reachable(slot: u16, tables: &impl Tables) -> Result<&BackendValue, DropReason> {
    let backend = tables.backend(slot).ok_or(DropReason::Inconsistent)?;
    if backend.flags & BackendFlags::RESOLVED == 0 {
        return Err(DropReason::NextHopUnresolved);
    }
    Ok(backend)
}

/// The row of a hash in a ring of `1 << bits` rows: its top bits, so that growing a ring splits its rows.
#[inline(always)]
pub const fn row_index(hash: u64, bits: u32) -> u32 {
    (hash >> (64 - (bits & 31))) as u32
}
