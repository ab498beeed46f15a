//! The firewall: may this packet go on? It also protects what is not a service. First match decides.
//!
//! Lists are asked here, on the main road. What else is configured is a function of its own ([`screen`]), which no packet meets
//! where it is not: rules and limits.

pub mod limits;
pub mod lists;
pub mod rules;

use core::hint::black_box;

use lb_common::{DropReason, Features, ListKind, Settings};

use self::rules::Ruling;
use crate::{frame::Frame, parse::Packet, service, tables::Tables, verdict::Way};

/// What a packet meets after the lists.
const SCREENED: u64 = Features::RULES | Features::LIMITS;

/// Lets a packet go on, or says what becomes of it: allow lists, then deny lists, then the rest.
#[inline(always)]
pub fn admit(frame: &impl Frame, packet: &mut Packet, settings: &Settings, tables: &impl Tables) -> Result<(), Way> {
    if settings.features & (Features::LISTS | SCREENED) == 0 {
        return Ok(());
    }
    if settings.features & Features::LISTS != 0
        && let Some(kind) = listed(packet, settings, tables)
    {
        packet.is_admitted = matches!(kind, ListKind::Allow);
        return match kind {
            ListKind::Allow => Ok(()),
            ListKind::Deny => Err(Way::drop_for(DropReason::Denied)),
        };
    }
    if settings.features & SCREENED == 0 {
        return Ok(());
    }
    if tables.screen(frame, packet)? == Ruling::Pass {
        packet.is_admitted = true;
    }
    Ok(())
}

/// What the rest of the firewall says of a packet that no list knows.
#[inline(always)]
pub fn screen(frame: &impl Frame, packet: &Packet, settings: &Settings, tables: &impl Tables) -> Result<Ruling, Way> {
    // Read once: user space may be about to name another block, of which there are other numbers.
    let applying = black_box(settings.rules);
    let Some(block) = tables.rules(applying.bank.into()) else { return Ok(Ruling::Undecided) };
    let subject = rules::subject(frame, packet, applying, settings, tables);
    if rules::judge(&subject, packet, block, applying, tables)? == Ruling::Pass {
        return Ok(Ruling::Pass);
    }
    limits::hold(&subject, packet, block, applying, tables)?;
    Ok(Ruling::Undecided)
}

/// Whether a list covers the packet's source, and which kind it is; counts the packet if so.
#[inline(always)]
fn listed(packet: &Packet, settings: &Settings, tables: &impl Tables) -> Option<ListKind> {
    let mut found = tables.listed(&packet.source, u64::MAX);
    if !found.is_none() && settings.features & Features::SCOPED_LISTS != 0 {
        found = tables.listed(&packet.source, tables.lists_for(service_of(packet, settings, tables)));
    }
    if found.is_none() {
        return None;
    }
    tables.count_list(found, packet.frame_bytes as u64);
    Some(ListKind::of(found.list()))
}

/// Whether the lists for a service's packets allow the sender, who then skips what of the firewall comes behind the look-up of
/// the service, too.
#[inline(always)]
pub(crate) fn allows(packet: &Packet, service: u16, tables: &impl Tables) -> bool {
    let Some(settings) = tables.settings().filter(|settings| settings.features & Features::LISTS != 0) else {
        return false;
    };
    let is_scoped = settings.features & Features::SCOPED_LISTS != 0;
    let lists = if is_scoped { tables.lists_for(Some(service)) } else { u64::MAX };
    let found = tables.listed(&packet.source, lists);
    !found.is_none() && matches!(ListKind::of(found.list()), ListKind::Allow)
}

/// The service whose lists and rules apply to a packet besides those that apply to all. A packet that will be dropped for a
/// defect has none; an address that answers echo requests is none, and neither is one that sessions come from.
#[inline(always)]
fn service_of(packet: &Packet, settings: &Settings, tables: &impl Tables) -> Option<u16> {
    let service = service::find(packet, settings, tables).ok()??;
    if service.is_address() || service.is_node_address() { None } else { Some(service.id) }
}
