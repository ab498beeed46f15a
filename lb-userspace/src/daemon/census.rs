//! A scan of the flow table: what is over is removed, what is left is counted.

use std::collections::BTreeMap;

use lb_common::{BackendFlags, Entry, Second, ServiceValue, Tick};

use super::sessions;
use crate::{
    dataplane::{DataplaneError, FLOW_ENTRIES, Kernel, Occupied, OpenSession},
    plan::{Census, Keep, Snapshot},
};

/// The service that a slot's flows belong to.
#[derive(Clone, Copy)]
struct Place {
    service: u32,
    ring_bits: u32,
    /// An entry whose flow has been idle for longer is removed.
    keep: Keep,
}

/// For how long silent flows are remembered, by service id.
pub type Keeps = BTreeMap<u32, Keep>;

/// Scans the kernel's table. The daemon's own view of the tables tells which slots serve and how large the rings are.
pub(super) fn take(kernel: &Kernel, snapshot: &Snapshot, keeps: &Keeps, now_s: u64) -> Result<Census, DataplaneError> {
    let mut census = scan(kernel.flows().entries(), FLOW_ENTRIES, snapshot, keeps, now_s);
    scan_sessions(sessions::open(kernel, snapshot), snapshot, now_s, &mut census);
    Ok(Census { overflowed_s: overflows(kernel, snapshot)?, ..census })
}

/// Scans the entries of a table that has room for `room`.
pub fn scan<'a>(
    entries: impl Iterator<Item = Occupied<'a>>,
    room: usize,
    snapshot: &Snapshot,
    keeps: &Keeps,
    now_s: u64,
) -> Census {
    let places = places(snapshot, keeps);
    let now = Tick::from_seconds(now_s);
    let mut census = Census { began_s: now_s, ..Census::default() };
    let mut flows = vec![0u64; places.len()];
    for occupied in entries {
        let Some((entry, place)) = kept(occupied, &places, now) else { continue };
        flows[usize::from(entry.backend())] += 1;
        let rows = census.rows.entry(place.service).or_insert_with(|| vec![false; 1 << place.ring_bits]);
        rows[entry.row(place.ring_bits) as usize] = true;
    }
    census.is_crowded = flows.iter().sum::<u64>() > room as u64 / 2;
    census.flows = (0..).zip(flows).filter(|(_, flows)| *flows > 0).collect();
    census
}

/// Adds the sessions of `full-nat` to a census. Those whose backend serves nobody any more are ended; they count until their
/// ports are free.
pub fn scan_sessions<'a>(
    sessions: impl Iterator<Item = OpenSession<'a>>,
    snapshot: &Snapshot,
    now_s: u64,
    census: &mut Census,
) {
    let now = Second::new(now_s);
    for open in sessions.filter(|open| !open.state().is_over(now)) {
        let (slot, address) = (open.session.slot, open.session.backend);
        *census.flows.entry(slot).or_default() += 1;
        let backend = snapshot.backends.get(&slot).filter(|value| value.address == address);
        let serves = backend.is_some_and(|value| value.flags & BackendFlags::SERVES != 0);
        if !serves && !open.state().has_ended() {
            open.close(now);
        }
    }
}

/// An entry that stays, and where it belongs. Entries that are over and those of slots in which nobody serves are removed.
///
/// An entry that the datapath changes at that moment is looked at again: overlooked, its row could settle without it.
fn kept<'p>(mut occupied: Occupied<'_>, places: &'p [Option<Place>], now: Tick) -> Option<(Entry, &'p Place)> {
    loop {
        let entry = occupied.entry;
        let place = places.get(usize::from(entry.backend())).and_then(Option::as_ref);
        let is_over = |place: &&Place| {
            let keep_s = if entry.is_confirmed() { place.keep.confirmed_s } else { place.keep.unconfirmed_s };
            entry.is_over(now) || now.since(entry.tick()) > keep_s
        };
        match place.filter(|place| !is_over(place)) {
            Some(place) => return Some((entry, place)),
            None => occupied = occupied.remove()?,
        }
    }
}

/// By slot: where the flows of a backend that serves belong.
fn places(snapshot: &Snapshot, keeps: &Keeps) -> Vec<Option<Place>> {
    let services = services(snapshot, keeps);
    let slots = snapshot.backends.last_key_value().map_or(0, |(&slot, _)| usize::from(slot) + 1);
    let mut places = vec![None; slots];
    for (&slot, value) in snapshot.backends.iter().filter(|(_, value)| value.flags & BackendFlags::SERVES != 0) {
        places[usize::from(slot)] = services.get(&value.service.into()).copied();
    }
    places
}

/// The services, as places of flows, by id.
fn services(snapshot: &Snapshot, keeps: &Keeps) -> BTreeMap<u32, Place> {
    let place = |service: ServiceValue| Place {
        service: service.id.into(),
        ring_bits: service.ring_bits.into(),
        keep: keeps.get(&service.id.into()).copied().unwrap_or_default(),
    };
    snapshot.services_by_id().into_iter().map(|(id, service)| (id.into(), place(service))).collect()
}

fn overflows(kernel: &Kernel, snapshot: &Snapshot) -> Result<BTreeMap<u32, u64>, DataplaneError> {
    let mut overflows = BTreeMap::new();
    for service in snapshot.services_by_id().into_keys().map(u32::from) {
        let at_s = kernel.overflowed_s(service)?;
        if at_s != 0 {
            overflows.insert(service, at_s);
        }
    }
    Ok(overflows)
}
