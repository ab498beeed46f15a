//! `ipip`: an outer IP header in front (RFC 2003 for IPv4 in IPv4, RFC 2473 for what is carried by IPv6, RFC 4213 for
//! IPv6 in IPv4). The backend takes it off and answers the client itself.

use lb_common::{BackendValue, DropReason};

use super::{
    link::Hop,
    outer::{self, inner_protocol},
};
use crate::{frame::Frame, parse::Packet, verdict::Way};

/// Encapsulates the packet.
#[inline(always)]
pub(super) fn encapsulate(
    frame: &mut impl Frame,
    packet: &Packet,
    backend: &BackendValue,
    hash: u64,
    hop: Hop<'_>,
) -> Result<Way, DropReason> {
    let (_, way) = outer::put(frame, packet, (backend, hash), hop, inner_protocol(packet), 0)?;
    Ok(way)
}
