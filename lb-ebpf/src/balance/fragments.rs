//! Where a fragmented packet goes.
//!
//! Only the first fragment has ports. Where it went is remembered for a while, and the others follow. The table is made
//! like the flow table, of sets of entries; but here nothing is at stake that is older than half a minute, so a new packet
//! always finds room.

use lb_common::{DropReason, Entry, Flow, FragmentEntry, Settings, Tick, Trail};

use super::flows::{FlowSet, find, oldest};
use crate::{
    frame::Frame,
    parse::Packet,
    wire::{ipv4::Ipv4, ipv6::Fragment, protocol},
};

/// What all fragments of a packet have in common, hashed: addresses and identification, and the protocol in IPv4 (RFC 791,
/// section 2.3), but not in IPv6 (RFC 8200, section 4.5).
#[inline(always)]
pub fn hash(frame: &impl Frame, packet: &Packet, settings: &Settings) -> Result<u64, DropReason> {
    let protocol = if packet.is_v4() { packet.protocol } else { protocol::FRAGMENT };
    let identification = identification(frame, packet).ok_or(DropReason::Inconsistent)?;
    let flow = Flow {
        source: packet.source,
        destination: packet.destination,
        source_port: (identification >> 16) as u16,
        destination_port: identification as u16,
        protocol,
    };
    Ok(flow.hash(&settings.hash_key))
}

#[inline(always)]
fn identification(frame: &impl Frame, packet: &Packet) -> Option<u32> {
    let offset = packet.rare.into();
    Some(if packet.is_v4() {
        frame.header::<Ipv4>(offset)?.identification().into()
    } else {
        frame.header::<Fragment>(offset)?.identification()
    })
}

/// Notes in its set where the packet with this hash goes.
#[inline(always)]
pub fn remember(set: &impl FlowSet, hash: u64, trail: Trail, now: Tick) {
    let place = find(set, |entry| fragment(entry).is_of(hash))
        .or_else(|| find(set, |entry| fragment(entry).is_free(now)))
        .or_else(|| oldest(set, now, |entry| fragment(entry).tick()));
    if let Some((way, old)) = place {
        // A lost race is a lost packet, which its sender is prepared for.
        set.replace(way, old, Entry::from_word(FragmentEntry::new(hash, trail, now).word()));
    }
}

/// Where the packet with this hash goes, if its set knows it.
#[inline(always)]
pub fn recall(set: &impl FlowSet, hash: u64, now: Tick) -> Trail {
    let known = find(set, |entry| fragment(entry).is_of(hash) && !fragment(entry).is_free(now));
    known.map_or(Trail::NONE, |(_, entry)| fragment(entry).trail())
}

/// What the words of this table mean: they stand in sets like those of the flow table.
#[inline(always)]
const fn fragment(entry: Entry) -> FragmentEntry {
    FragmentEntry::from_word(entry.word())
}
