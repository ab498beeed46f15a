//! Fragments of sessions' packets: the first is translated like any packet and leaves a trail, which the others follow.

use lb_common::{DropReason, Session, SessionId, Settings, Trail};

use super::{Cell, SessionTable, back, forth, rules};
use crate::{balance, balance::fragments, deliver::Part, frame::Frame, parse::Packet, verdict::Way};

/// Leaves a trail to its session, if a packet is a first fragment.
#[inline(always)]
pub(super) fn lead(
    frame: &impl Frame,
    packet: &Packet,
    id: SessionId,
    settings: &Settings,
    tables: &impl SessionTable,
) -> Result<(), DropReason> {
    if packet.is_fragment() {
        tables.note_fragment(fragments::hash(frame, packet, settings)?, Trail::to_session(id));
    }
    Ok(())
}

/// Brings a later fragment to where its session says. As one fragment of a packet has already spoken for it, the session is told
/// nothing.
#[inline(always)]
pub fn follow(frame: &mut impl Frame, packet: &Packet, tables: &impl SessionTable) -> Result<Way, DropReason> {
    let settings = tables.settings().ok_or(DropReason::Inconsistent)?;
    let trail = tables.fragment(fragments::hash(frame, packet, settings)?);
    let id = trail.session().ok_or(DropReason::FragmentUnknown)?;
    let cell = tables.session(id).ok_or(DropReason::Inconsistent)?;
    // The port may have been given to another session since.
    if !cell.state().is_open() {
        return Err(DropReason::FragmentUnknown);
    }
    if is_from_client(packet, &cell.session()) {
        count(packet, &cell.session(), tables)?;
        return forth(frame, packet, Part::Fragment, id, tables);
    }
    if packet.source == cell.session().backend {
        return back(frame, packet, Part::Fragment, &cell.session(), tables);
    }
    Err(DropReason::FragmentUnknown)
}

#[inline(always)]
fn is_from_client(packet: &Packet, session: &Session) -> bool {
    packet.source == session.client && packet.destination == session.service
}

/// Counts a fragment for its service, which only the session's backend tells: a later fragment has no port.
#[inline(always)]
fn count(packet: &Packet, session: &Session, tables: &impl SessionTable) -> Result<(), DropReason> {
    if !rules::serves(session, tables) {
        return Err(DropReason::FragmentUnknown);
    }
    let backend = balance::reachable(session.slot, tables)?;
    tables.count_service(backend.service.into(), packet.frame_bytes as u64, 0);
    Ok(())
}
