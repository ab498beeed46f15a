//! Which backend a packet goes to.
//!
//! The ring says it for a settled row. Only the rows that a change has touched ask the flow table.

pub mod flows;
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
}

/// Chooses the backend, and counts the packet for it and for the service.
#[inline(always)]
pub fn choose<'t>(
    packet: &Packet,
    service: &ServiceValue,
    settings: &Settings,
    tables: &'t impl Tables,
) -> Result<Choice<'t>, DropReason> {
    let (bytes, flows) = (packet.frame_bytes as u64, packet.opens_flow() as u64);
    tables.count_service(service.id.into(), bytes, flows);
    let hash = packet.flow().hash(&settings.hash_key);
    let row = row(hash, service, tables)?;
    let slot = match row.state() {
        RowState::Settled => row.current(),
        RowState::Moving | RowState::Lookup => {
            let (opens, closes) = (packet.opens_flow(), packet.closes_flow());
            tables.steer(Arrival { hash, row, service: service.id.into(), opens, closes })
        }
    };
    if slot == Row::NOBODY {
        return Err(DropReason::NoBackend);
    }
    let backend = tables.backend(slot).ok_or(DropReason::Inconsistent)?;
    if backend.flags & BackendFlags::RESOLVED == 0 {
        return Err(DropReason::NextHopUnresolved);
    }
    tables.count_backend(slot, bytes, flows);
    Ok(Choice { backend, hash })
}

/// The row of a service's ring that a hash belongs to.
#[inline(always)]
pub(crate) fn row(hash: u64, service: &ServiceValue, tables: &impl Tables) -> Result<Row, DropReason> {
    let index = row_index(hash, service.ring_bits.into());
    tables.row(service.ring.into(), index).ok_or(DropReason::Inconsistent)
}

/// The row of a hash in a ring of `1 << bits` rows: its top bits, so that growing a ring splits its rows.
#[inline(always)]
pub const fn row_index(hash: u64, bits: u32) -> u32 {
    (hash >> (64 - (bits & 31))) as u32
}
