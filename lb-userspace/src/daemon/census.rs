//! A scan of the flow table: what is over is removed, what is left is counted.

use std::collections::BTreeMap;

use lb_common::{BackendFlags, MAX_BACKENDS, ServiceFlags, Tick};

use crate::{
    dataplane::{DataplaneError, FLOW_ENTRIES, Kernel},
    plan::{Census, Snapshot},
};

/// The service that a slot's flows belong to.
struct Place {
    service: u32,
    ring_bits: u32,
}

/// Scans the table. The daemon's own view of the tables tells which slots serve and how large the rings are.
pub(super) fn take(kernel: &Kernel, snapshot: &Snapshot, now_s: u64) -> Result<Census, DataplaneError> {
    let places = places(snapshot);
    let now = Tick::from_seconds(now_s);
    let mut census = Census { began_s: now_s, ..Census::default() };
    let mut flows = vec![0u64; MAX_BACKENDS as usize];
    for occupied in kernel.flows().entries() {
        let entry = occupied.entry;
        let Some(place) = places.get(usize::from(entry.backend())).and_then(Option::as_ref) else {
            // Nobody serves in this slot: the flow has been given to another backend, or is over.
            occupied.remove();
            continue;
        };
        if entry.is_over(now) {
            occupied.remove();
            continue;
        }
        flows[usize::from(entry.backend())] += 1;
        let rows = census.rows.entry(place.service).or_insert_with(|| vec![false; 1 << place.ring_bits]);
        rows[entry.row(place.ring_bits) as usize] = true;
    }
    census.is_crowded = flows.iter().sum::<u64>() > FLOW_ENTRIES as u64 / 2;
    census.flows = (0..).zip(flows).filter(|(_, flows)| *flows > 0).collect();
    census.overflowed_s = overflows(kernel, snapshot)?;
    Ok(census)
}

/// By slot: where the flows of a backend that serves belong.
fn places(snapshot: &Snapshot) -> Vec<Option<Place>> {
    let bits: BTreeMap<u32, u32> = services(snapshot).collect();
    let mut places: Vec<Option<Place>> = std::iter::repeat_with(|| None).take(MAX_BACKENDS as usize).collect();
    for (&slot, value) in snapshot.backends.iter().filter(|(_, value)| value.flags & BackendFlags::SERVES != 0) {
        let service = u32::from(value.service);
        places[usize::from(slot)] = bits.get(&service).map(|&ring_bits| Place { service, ring_bits });
    }
    places
}

/// The id and the ring's size of each service.
fn services(snapshot: &Snapshot) -> impl Iterator<Item = (u32, u32)> {
    let services = snapshot.services.values().filter(|service| service.flags & ServiceFlags::ADDRESS == 0);
    services.map(|service| (service.id.into(), service.ring_bits.into()))
}

fn overflows(kernel: &Kernel, snapshot: &Snapshot) -> Result<BTreeMap<u32, u64>, DataplaneError> {
    let mut overflows = BTreeMap::new();
    for (id, _) in services(snapshot) {
        let at_s = kernel.overflowed_s(id)?;
        if at_s != 0 {
            overflows.insert(id, at_s);
        }
    }
    Ok(overflows)
}
