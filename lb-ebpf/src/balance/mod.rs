//! Which backend a packet goes to.
//!
//! The ring says it for a settled row. Only the rows that a change has touched ask the flow table. A QUIC connection id
//! that names a server goes before both.

pub mod flows;
pub mod quic;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;

use lb_common::{BackendFlags, BackendValue, DropReason, Flow, Row, RowState, ServiceValue, Settings};

use self::{flows::Arrival, quic::Named};
use crate::{
    frame::Frame,
    parse::{Packet, Transport},
    syn,
    tables::Tables,
};

/// The backend that was chosen for a packet, and the hash that chose it.
#[derive(Clone, Copy)]
pub struct Choice<'t> {
    /// The backend.
    pub backend: &'t BackendValue,
    /// The flow's hash: entropy for outer headers. All flows of a client share it where the service tells them apart by client.
    pub hash: u64,
}

/// Chooses the backend, and counts the packet for it and for the service.
#[inline(always)]
pub fn choose<'t>(
    frame: &impl Frame,
    packet: &Packet,
    service: &ServiceValue,
    settings: &Settings,
    tables: &'t impl Tables,
) -> Result<Choice<'t>, DropReason> {
    // A service that speaks QUIC has datagrams only.
    let named = match service.connection_ids() {
        Some(ids) => tables.named(frame, packet.transport_offset, service.id, ids),
        None => Named::NOBODY,
    };
    let opens = packet.opens_flow() || named.opens();
    let (bytes, flows) = (packet.frame_bytes as u64, opens as u64);
    tables.count_service(service.id.into(), bytes, flows);
    let hash = hash(&packet.flow(), service, settings, tables);
    if service.is_watched()
        && syn::is_sampled(hash)
        && let Transport::Tcp { flags } = packet.transport
    {
        // Flows of one client may have one hash.
        tables.watch(hash ^ (packet.source_port as u64) << 32, service.id, flags);
    }
    let slot = match named.slot() {
        Row::NOBODY => owner(packet, hash, opens, service, tables)?,
        slot => slot,
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

/// [`ServiceValue::hash`]: where any packet of a flow to this service goes, one that comes with an error included.
#[inline(always)]
pub fn hash(flow: &Flow, service: &ServiceValue, settings: &Settings, tables: &impl Tables) -> u64 {
    if service.is_by_client() { tables.client_hash(flow, service) } else { flow.hash(&settings.hash_key) }
}

/// The slot of the backend that the ring, or for an unsettled row the flow table, says.
#[inline(always)]
fn owner(
    packet: &Packet,
    hash: u64,
    opens: bool,
    service: &ServiceValue,
    tables: &impl Tables,
) -> Result<u16, DropReason> {
    let row =
        tables.row(service.ring.into(), row_index(hash, service.ring_bits.into())).ok_or(DropReason::Inconsistent)?;
    Ok(match row.state() {
        RowState::Settled => row.current(),
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
