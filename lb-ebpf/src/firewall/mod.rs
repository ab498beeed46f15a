//! The firewall: may this packet go on? It also protects what is not a service. First match decides.

use lb_common::{DropReason, Features, ListKind, Settings};

use crate::{parse::Packet, tables::Tables};

/// Lets a packet go on, or names the reason why not: allow lists, then deny lists.
#[inline(always)]
pub fn admit(packet: &Packet, settings: &Settings, tables: &impl Tables) -> Result<(), DropReason> {
    if settings.features & (Features::ALLOW | Features::DENY) == 0 {
        return Ok(());
    }
    if settings.features & Features::ALLOW != 0 && matches(packet, ListKind::Allow, tables) {
        return Ok(());
    }
    if settings.features & Features::DENY != 0 && matches(packet, ListKind::Deny, tables) {
        return Err(DropReason::Denied);
    }
    Ok(())
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
