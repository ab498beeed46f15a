//! QUIC connections stay with their server when the client's address changes, because their ids say whose they are.
//!
//! The servers form their connection ids as QUIC-LB (draft-ietf-quic-load-balancers-21) has it in plaintext. What names
//! no server goes by hash, as any datagram does (section 4.2 of the draft): the first packets of a client, which has
//! chosen an id at random, ids of another config rotation, and those of a server that is gone.

use lb_common::{BackendFlags, ConnectionIds, Row};

use super::Access;
use crate::{
    frame::Frame,
    tables::Tables,
    wire::quic::{Long, MAX_ID_BYTES, Short, Source},
};

/// What the connection id of a packet says: one word, because in the kernel a function of its own answers with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named(u32);

/// The packet opens a connection.
const OPENS: u32 = 1 << 16;

impl Named {
    /// A packet of which the ring decides, and which opens nothing.
    pub const NOBODY: Self = Self(Row::NOBODY as u32);

    /// What a word says.
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// The word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The slot of the backend that the id names; [`Row::NOBODY`] if it names none.
    #[inline(always)]
    pub const fn slot(self) -> u16 {
        self.0 as u16
    }

    /// Whether the packet opens a connection. An Initial that names a server does not: it goes on with one.
    #[inline(always)]
    pub const fn opens(self) -> bool {
        self.0 & OPENS != 0
    }
}

/// Whom a datagram names whose UDP header is at `offset`, at the service with this id: the client's, or the server's own if it
/// is only looked at because an ICMP error quotes it.
#[inline(always)]
pub fn look(
    frame: &impl Frame,
    offset: u32,
    service: u16,
    ids: ConnectionIds,
    access: Access,
    tables: &impl Tables,
) -> Named {
    let named = match access {
        Access::Track => read(frame, offset, service, ids, tables),
        Access::Look => read_source(frame, offset, service, ids, tables),
    };
    named.unwrap_or(Named::NOBODY)
}

#[inline(always)]
fn read(frame: &impl Frame, offset: u32, service: u16, ids: ConnectionIds, tables: &impl Tables) -> Option<Named> {
    let short = frame.header::<Short>(offset).filter(|short| short.udp.bytes() as usize >= size_of::<Short>())?;
    if !short.is_long() {
        return Some(Named(server(service, ids.server_id(short.octet, short.rest()), tables).into()));
    }
    let long = frame.header::<Long>(offset).filter(|long| long.udp.bytes() as usize >= size_of::<Long>())?;
    let id = if long.id_bytes > ids.server_id_bytes { ids.server_id(long.octet, long.rest()) } else { None };
    let slot = server(service, id, tables);
    let opens = slot == Row::NOBODY && long.is_initial();
    Some(Named(u32::from(slot) | if opens { OPENS } else { 0 }))
}

/// Whom a server's own datagram names: the client's id says nothing, but a long header has the server's beside it, which the
/// draft allows to be read of what an ICMP error quotes. What else is quoted goes by hash.
#[inline(always)]
fn read_source(
    frame: &impl Frame,
    offset: u32,
    service: u16,
    ids: ConnectionIds,
    tables: &impl Tables,
) -> Option<Named> {
    let long = frame.header::<Long>(offset).filter(|long| long.is_long() && long.id_bytes <= MAX_ID_BYTES)?;
    let source = frame.header::<Source>(offset + Long::ID_OFFSET + u32::from(long.id_bytes))?;
    let id = if source.id_bytes > ids.server_id_bytes { ids.server_id(source.octet, source.rest()) } else { None };
    Some(Named(server(service, id, tables).into()))
}

/// The slot of the backend that a server id belongs to, if it may still be given packets.
#[inline(always)]
fn server(service: u16, id: Option<u64>, tables: &impl Tables) -> u16 {
    let Some(slot) = id.and_then(|id| tables.server(service, id)) else { return Row::NOBODY };
    let serves = tables.backend(slot).is_some_and(|backend| backend.flags & BackendFlags::SERVES != 0);
    if serves { slot } else { Row::NOBODY }
}
