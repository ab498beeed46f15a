//! ICMP errors about packets of sessions: each goes to whom the packet came from, and quotes what that one has sent.
//!
//! Anybody can forge an error, so it tells the session nothing.

use lb_common::{DropReason, Sanity, ServiceValue, Settings};

use super::{Cell, SessionTable, back, forth, rules};
use crate::{
    deliver::Part,
    frame::Frame,
    parse::{self, Packet, quoted},
    sanity, service,
    tables::Tables,
    verdict::Way,
};

/// Whether an error (`quoted` is the packet that it is about, turned round) is about a service with sessions.
#[inline(always)]
pub(crate) fn is_about_session(
    quoted: Option<&Packet>,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<bool, DropReason> {
    let Some(quoted) = quoted else { return Ok(false) };
    Ok(service::find(quoted, settings, tables)?.is_some_and(|service| service.has_sessions()))
}

/// The road of such an error. The frame is read again, for the reason that [`super::road`] has.
#[inline(always)]
pub fn error_road(frame: &mut impl Frame, tables: &impl Tables) -> Way {
    attend(frame, tables).unwrap_or_else(Way::drop_for)
}

#[inline(always)]
fn attend(frame: &mut impl Frame, tables: &impl Tables) -> Result<Way, DropReason> {
    let (mut place, mut quoted_place) = (None, None);
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(Way::PASS) };
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    let Some(quoted) = quoted::reversed(frame, packet, &mut quoted_place) else { return Ok(Way::PASS) };
    let Some(service) = service::find(quoted, settings, tables)? else { return Ok(Way::PASS) };
    if !service.is_node_address() {
        sanity::check(frame, packet, Sanity::OF_NODE, settings, tables)?;
        service::admit(quoted, service, tables)?;
        tables.count_service(service.id.into(), packet.frame_bytes as u64, 0);
    }
    tables.carry_error(frame, packet, quoted, &service)
}

/// Brings an error to whom the packet that it is about came from.
#[inline(always)]
pub fn carry_error(
    frame: &mut impl Frame,
    packet: &Packet,
    quoted: &Packet,
    service: &ServiceValue,
    tables: &impl SessionTable,
) -> Result<Way, DropReason> {
    if service.is_node_address() {
        // About a connection of the node's own, if it is about no session.
        let Some(cell) = rules::asked(quoted, service.id.into(), tables) else { return Ok(Way::PASS) };
        return back(frame, packet, Part::Error(quoted), &cell.session(), tables);
    }
    let settings = tables.settings().ok_or(DropReason::Inconsistent)?;
    let flow = quoted.flow();
    let id = rules::recalled(quoted, &flow, flow.hash(&settings.hash_key), tables).ok_or(DropReason::IcmpUnknown)?;
    forth(frame, packet, Part::Error(quoted), id, tables)
}
