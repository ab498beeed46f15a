//! The firewall: may this packet go on? It also protects what is not a service. First match decides.

pub mod lists;

use lb_common::{DropReason, Features, ListKind, Settings};

use crate::{parse::Packet, service, tables::Tables};

/// Lets a packet go on, or names the reason why not: allow lists, then deny lists.
#[inline(always)]
pub fn admit(packet: &Packet, settings: &Settings, tables: &impl Tables) -> Result<(), DropReason> {
    if settings.features & Features::LISTS == 0 {
        return Ok(());
    }
    let mut found = tables.listed(&packet.source, u64::MAX);
    if !found.is_none() && settings.features & Features::SCOPED_LISTS != 0 {
        found = tables.listed(&packet.source, tables.lists_for(service_of(packet, settings, tables)));
    }
    if found.is_none() {
        return Ok(());
    }
    tables.count_list(found, packet.frame_bytes as u64);
    match ListKind::of(found.list()) {
        ListKind::Allow => Ok(()),
        ListKind::Deny => Err(DropReason::Denied),
    }
}

/// The service whose lists apply to a packet besides those that apply to all. A packet that will be dropped for a defect has
/// none, and an address that answers echo requests is none.
#[inline(always)]
fn service_of(packet: &Packet, settings: &Settings, tables: &impl Tables) -> Option<u16> {
    let service = service::find(packet, settings, tables).ok()??;
    if service.is_address() { None } else { Some(service.id) }
}
