//! Just enough state: the flow table, asked only for rows that a change has touched.
//!
//! The rules are those of the simulation that `ARCHITECTURE.md` describes; small deviations from them break connections by the
//! thousand. In short: a new flow goes to the row's current owner and is remembered; a flow that nobody remembers is
//! older than the change and belongs to the row's default; when there is no room, the answer without state is the
//! right one, and nothing that lives is thrown out to make some.

use lb_common::{BackendFlags, Entry, FLOW_WAYS, Row, RowState, Tick};

/// What the rules need to know and may change.
pub trait FlowTable {
    /// The set where a flow with this hash would be.
    fn set(&self, hash: u64) -> Option<impl FlowSet>;

    /// The coarse time.
    fn now(&self) -> Tick;

    /// Notes that a flow of a service should have been remembered and could not be.
    fn note_overflow(&self, service: u32);

    /// The [`BackendFlags`] of the backend in a slot.
    fn duties(&self, slot: u16) -> u8;
}

/// A set of the flow table. Other CPUs and user space read and write it at the same time.
pub trait FlowSet {
    /// The entry in a way, below [`lb_common::FLOW_WAYS`].
    fn entry(&self, way: u32) -> Entry;

    /// Replaces an entry, if it is still what it was.
    fn replace(&self, way: u32, old: Entry, new: Entry) -> bool;
}

/// A packet at an unsettled row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The flow's hash.
    pub hash: u64,
    /// The row.
    pub row: Row,
    /// The service's id.
    pub service: u32,
    /// Whether the packet opens its flow.
    pub opens: bool,
    /// Whether the packet ends its flow.
    pub closes: bool,
    /// Whether the flow is all that a client sends: the beginning and the end of a connection say nothing of it.
    pub by_client: bool,
}

/// A way of a set, and the entry that was seen there.
pub(super) type Place = Option<(u32, Entry)>;

/// The slot of the backend that the packet goes to.
#[inline(always)]
pub fn steer(arrival: &Arrival, table: &impl FlowTable) -> u16 {
    let Some(set) = table.set(arrival.hash) else { return arrival.row.default() };
    let own = find(&set, |entry| entry.is_of(arrival.hash));
    if arrival.opens && !arrival.by_client { open(arrival, &set, own, table) } else { go_on(arrival, &set, own, table) }
}

/// The slot of the backend that a flow is on, for what only looks: an ICMP error about one of its packets.
#[inline(always)]
pub fn look(hash: u64, row: Row, table: &impl FlowTable) -> u16 {
    let Some(set) = table.set(hash) else { return row.default() };
    match find(&set, |entry| entry.is_of(hash)) {
        Some((_, entry)) if table.duties(entry.backend()) & BackendFlags::SERVES != 0 => entry.backend(),
        _ => row.default(),
    }
}

/// Rule 1: a packet that opens a flow.
#[inline(always)]
fn open(arrival: &Arrival, set: &impl FlowSet, own: Place, table: &impl FlowTable) -> u16 {
    let row = arrival.row;
    if row.state() != RowState::Moving {
        // The addresses and ports are used again: the former flow is over.
        if let Some((way, old)) = own {
            set.replace(way, old, Entry::EMPTY);
        }
        return row.current();
    }
    // A retransmission stays where the first one went.
    if let Some((_, old)) = own
        && !old.is_confirmed()
        && table.duties(old.backend()) & BackendFlags::SERVES != 0
    {
        return old.backend();
    }
    if row.current() == Row::NOBODY {
        return Row::NOBODY;
    }
    let now = table.now();
    let mut place = own.or_else(|| free(set, now));
    if place.is_none() && table.duties(row.default()) & BackendFlags::SUSPECT != 0 {
        place = oldest(set, now, Entry::tick);
    }
    match place {
        Some((way, old)) if set.replace(way, old, Entry::new(arrival.hash, row.current(), now)) => row.current(),
        // Not remembered, it would be taken for an old flow from its second packet on: let it be one from the first.
        _ => row.default(),
    }
}

/// Rule 2: any other packet.
#[inline(always)]
fn go_on(arrival: &Arrival, set: &impl FlowSet, own: Place, table: &impl FlowTable) -> u16 {
    let default = arrival.row.default();
    let is_moving = arrival.row.state() == RowState::Moving;
    let closes = arrival.closes && !arrival.by_client;
    let now = table.now();
    if let Some((way, old)) = own
        && table.duties(old.backend()) & BackendFlags::SERVES != 0
    {
        if !is_moving && old.backend() == default {
            set.replace(way, old, Entry::EMPTY);
            return default;
        }
        let new = old.refreshed(now, closes);
        if new != old {
            // A lost race is made good by the flow's next packet.
            set.replace(way, old, new);
        }
        return old.backend();
    }
    // Its backend is gone, and the flow is the default's from now on, even should that backend return before the next scan.
    if !is_moving && let Some((way, old)) = own {
        set.replace(way, old, Entry::EMPTY);
    }
    // Whoever is going need not be remembered. Errors never get here: they only look.
    if is_moving && !closes && default != Row::NOBODY {
        let taken = own
            .or_else(|| free(set, now))
            .is_some_and(|(way, old)| set.replace(way, old, Entry::new(arrival.hash, default, now)));
        if !taken {
            table.note_overflow(arrival.service);
        }
    }
    default
}

/// The first entry of a set that is as wanted.
///
/// Own entry, free place and oldest entry are looked for one after the other, although one pass could find all three:
/// the verifier follows every combination of what a pass has found, and would give up on that one. The set is one cache line.
#[inline(always)]
pub(super) fn find(set: &impl FlowSet, is_wanted: impl Fn(Entry) -> bool) -> Place {
    for way in 0..FLOW_WAYS as u32 {
        let entry = set.entry(way);
        if is_wanted(entry) {
            return Some((way, entry));
        }
    }
    None
}

/// A place that another flow may take; an empty one if there is one, because who is in another may still speak.
#[inline(always)]
fn free(set: &impl FlowSet, now: Tick) -> Place {
    find(set, Entry::is_empty).or_else(|| find(set, |entry| entry.is_free(now)))
}

/// The entry that has not been refreshed for the longest time, given how to tell when it was.
#[inline(always)]
pub(super) fn oldest(set: &impl FlowSet, now: Tick, tick: impl Fn(Entry) -> Tick) -> Place {
    let mut oldest = (0, set.entry(0));
    for way in 1..FLOW_WAYS as u32 {
        let entry = set.entry(way);
        if now.since(tick(entry)) > now.since(tick(oldest.1)) {
            oldest = (way, entry);
        }
    }
    Some(oldest)
}
