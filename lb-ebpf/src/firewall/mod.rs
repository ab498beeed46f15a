//! The firewall: may this packet go on? It also protects what is not a service. First match decides.
//!
//! Lists are asked here, on the main road. What else is configured is a side road ([`screen`]) that no packet takes where it is
//! not: rules and limits.

pub mod limits;
pub mod rules;

use lb_common::{DropReason, Features, ListKind, Settings};

use self::rules::Ruling;
use crate::{frame::Frame, parse::Packet, tables::Tables};

/// Lets a packet go on, or names the reason why not: allow lists, then deny lists, then the rest.
#[inline(always)]
pub fn admit(frame: &impl Frame, packet: &Packet, settings: &Settings, tables: &impl Tables) -> Result<(), DropReason> {
    if settings.features & (Features::ALLOW | Features::DENY | Features::RULES | Features::LIMITS) == 0 {
        return Ok(());
    }
    if settings.features & Features::ALLOW != 0 && matches(packet, ListKind::Allow, tables) {
        return Ok(());
    }
    if settings.features & Features::DENY != 0 && matches(packet, ListKind::Deny, tables) {
        return Err(DropReason::Denied);
    }
    if settings.features & (Features::RULES | Features::LIMITS) != 0 {
        return tables.screen(frame, packet);
    }
    Ok(())
}

/// What the rest of the firewall says of a packet that no list knows.
#[inline(always)]
pub fn screen(
    frame: &impl Frame,
    packet: &Packet,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<(), DropReason> {
    let Some(block) = tables.rules(settings.rules.bank.into()) else { return Ok(()) };
    let subject = rules::subject(frame, packet, settings, tables);
    if rules::judge(&subject, packet, block, settings, tables)? == Ruling::Pass {
        return Ok(());
    }
    limits::hold(&subject, packet, block, settings, tables)
}

/// Whether a list covers the packet's source; counts it if so.
#[inline(always)]
fn matches(packet: &Packet, list: ListKind, tables: &impl Tables) -> bool {
    let listed = tables.listed(list, &packet.source);
    if listed {
        tables.count_list(list, packet.frame_bytes as u64);
    }
    listed
}
