//! From what is wanted to what the tables should hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Range,
    sync::Arc,
};

use lb_common::{
    Address, BackendFlags, BackendValue, EndpointKey, Features, HashKey, ListKind, MAX_BACKENDS, MAX_ROWS,
    MAX_SERVICES, ROWS_PER_ELEMENT, ReplyValue, Row, ServiceFlags, ServiceValue, Settings,
};

use super::{
    Snapshot,
    allocate::{Free, Regions},
    rows::{self, Census, Patience, Ripeness, Times},
    sources::Sources,
};
use crate::{
    model::{AdminState, Backend, Delivery, Model, Protocol, RingSettings, Service},
    ring::{self, Member},
    routes::NextHops,
};

/// All that the tables depend on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What the operator wants.
    pub model: &'a Model,
    /// What the checks say of a backend: `(service, backend)`.
    pub health: &'a dyn Fn(&str, &str) -> Health,
    /// The ways to the backends.
    pub next_hops: &'a NextHops,
    /// The flow hash's key.
    pub hash_key: HashKey,
    /// The interfaces that the program is attached to.
    pub devices: &'a BTreeSet<u32>,
    /// How long rows move.
    pub patience: Patience,
    /// What the last scan of the flow table found, if there has been one since the last time.
    pub census: Option<&'a Census>,
    /// The time, in seconds of a clock that never goes back.
    pub now_s: u64,
}

/// What is known of a backend's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It may take traffic.
    Up,
    /// Not checked yet: no new flows.
    Starting,
    /// Its check has just failed, perhaps wrongly: no new flows, but it keeps those that it has.
    Suspect,
    /// It is gone, and its flows with it.
    Gone,
}

/// What the tables should hold, and where each backend stands in them.
#[derive(Debug)]
pub struct Desired {
    /// The tables.
    pub snapshot: Snapshot,
    /// The id of each service, by name.
    pub service_ids: BTreeMap<String, u32>,
    /// The slot of each backend, by service and name.
    pub slots: BTreeMap<(String, String), u16>,
}

/// A table is too small for what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No service id is free.
    #[error("there is room for {MAX_SERVICES} services; remove some")]
    Services,
    /// No slot is free.
    #[error("there is room for {MAX_BACKENDS} backends over all services; remove some")]
    Backends,
    /// No region of the ring array is large enough.
    #[error(
        "the rings do not fit: there is room for {MAX_ROWS} rows, and a ring that changes needs its rows twice; use smaller rings (`ring.rows`)"
    )]
    Rows,
}

/// Makes desired snapshots; remembers rings, because they are the costly part and most changes touch one.
#[derive(Debug, Default)]
pub struct Planner {
    regions: Regions,
    rings: BTreeMap<String, CachedRing>,
    times: BTreeMap<String, Times>,
    /// Slots of backends that are no more, with the time since when: entries may still name them.
    retired: BTreeMap<u16, u64>,
}

#[derive(Debug)]
struct CachedRing {
    settings: RingSettings,
    members: Vec<Member>,
    owners: Arc<[Option<u16>]>,
}

/// What a service's part of the snapshot is made with.
struct Numbers {
    ids: Free,
    slots: Free,
    /// The slots that are taken, by service id and backend identity.
    taken: BTreeMap<(u16, u32), u16>,
}

impl Numbers {
    fn new(current: &Snapshot, retired: &BTreeMap<u16, u64>) -> Self {
        let ids = current.services.values().filter(|service| service.is_service()).map(|service| service.id.into());
        Self {
            ids: Free::new(0..MAX_SERVICES, ids),
            slots: Free::new(0..MAX_BACKENDS, current.backends.keys().chain(retired.keys()).map(|&slot| slot.into())),
            taken: current.backends.iter().map(|(&slot, value)| ((value.service, value.identity), slot)).collect(),
        }
    }

    /// The backend's slot: the one that it has, or a free one.
    fn slot(&mut self, service: u32, backend: &Backend) -> Result<u16, PlanError> {
        let identity = (service as u16, ring::short_identity(&backend.name));
        match self.taken.get(&identity) {
            Some(&slot) => Ok(slot),
            None => self.slots.take().map(|slot| slot as u16).ok_or(PlanError::Backends),
        }
    }
}

impl Planner {
    /// What the tables should hold, given what they hold: ids, slots and rings stay where they are.
    ///
    /// # Errors
    ///
    /// A table that is too small.
    pub fn desired(&mut self, inputs: Inputs<'_>, current: &Snapshot) -> Result<Desired, PlanError> {
        let mut desired = Desired {
            snapshot: Snapshot { devices: inputs.devices.clone(), ..Snapshot::default() },
            service_ids: BTreeMap::new(),
            slots: BTreeMap::new(),
        };
        self.release(inputs.census);
        let mut numbers = Numbers::new(current, &self.retired);
        let sources = Sources::new(inputs, current);
        for service in &inputs.model.services {
            self.put_service(service, inputs, current, &sources, &mut numbers, &mut desired)?;
        }
        sources.put(&mut desired.snapshot);
        self.rings.retain(|name, _| desired.service_ids.contains_key(name));
        self.times.retain(|name, _| desired.service_ids.contains_key(name));
        let gone = current.backends.keys().filter(|slot| !desired.snapshot.backends.contains_key(slot));
        self.retired.extend(gone.map(|&slot| (slot, inputs.now_s)));
        put_lists(inputs.model, &mut desired.snapshot);
        desired.snapshot.settings = settings(inputs, &desired.snapshot);
        Ok(desired)
    }

    /// Whether slots wait for a scan that shows that nobody needs them any more.
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Lets go of the slots that a scan since their retirement has found no entry of.
    fn release(&mut self, census: Option<&Census>) {
        let Some(census) = census else { return };
        self.retired.retain(|slot, since_s| census.began_s <= *since_s + 1 || census.flows.contains_key(slot));
    }

    fn put_service(
        &mut self,
        service: &Service,
        inputs: Inputs<'_>,
        current: &Snapshot,
        sources: &Sources,
        numbers: &mut Numbers,
        desired: &mut Desired,
    ) -> Result<(), PlanError> {
        let key = service_key(service);
        let present = current.services.get(&key);
        let id = match present {
            Some(value) => value.id.into(),
            None => numbers.ids.take().ok_or(PlanError::Services)?,
        };
        let mut slots = Vec::with_capacity(service.backends.len());
        for backend in &service.backends {
            let slot = numbers.slot(id, backend)?;
            slots.push(slot);
            put_backend(service, backend, id, slot, inputs, sources, &mut desired.snapshot);
            desired.slots.insert((service.name.clone(), backend.name.clone()), slot);
        }
        let ring = self.put_ring(service, &slots, inputs, present, current, &mut desired.snapshot)?;
        let value = ServiceValue {
            ring: ring as u16,
            id: id as u16,
            ring_bits: service.ring.bits as u8,
            flags: if service.delivery == Delivery::FullNat { ServiceFlags::FULL_NAT } else { 0 },
            ..ServiceValue::default()
        };
        desired.snapshot.services.insert(key, value);
        let address = ServiceValue { flags: ServiceFlags::ADDRESS, ..ServiceValue::default() };
        desired.snapshot.services.insert(address_key(service.address), address);
        desired.service_ids.insert(service.name.clone(), id);
        Ok(())
    }

    /// Puts the service's ring into the snapshot: where it is if its rows are the same, in a free region otherwise.
    fn put_ring(
        &mut self,
        service: &Service,
        slots: &[u16],
        inputs: Inputs<'_>,
        present: Option<&ServiceValue>,
        current: &Snapshot,
        snapshot: &mut Snapshot,
    ) -> Result<u32, PlanError> {
        let owners = self.owners(service, inputs);
        let slot = |owner: &Option<u16>| owner.and_then(|index| slots.get(usize::from(index)).copied());
        let owners: Vec<u16> = owners.iter().map(|owner| slot(owner).unwrap_or(Row::NOBODY)).collect();
        let rows = self.rows(service, &owners, inputs, present, current, snapshot);
        let kept = present.map(|value| value.ring.into()).filter(|first| current.rings.get(first) == Some(&rows));
        let first = match kept {
            Some(first) => first,
            None => {
                let used: Vec<Range<u32>> = current
                    .rings
                    .iter()
                    .chain(&snapshot.rings)
                    .map(|(&first, rows)| first..first + elements(rows))
                    .collect();
                let end = MAX_ROWS / ROWS_PER_ELEMENT;
                self.regions.take(elements(&rows), &used, end).ok_or(PlanError::Rows)?
            }
        };
        snapshot.rings.insert(first, rows);
        Ok(first)
    }

    /// The rows that lead from what the kernel has to the owners, without breaking a flow.
    fn rows(
        &mut self,
        service: &Service,
        owners: &[u16],
        inputs: Inputs<'_>,
        present: Option<&ServiceValue>,
        current: &Snapshot,
        snapshot: &Snapshot,
    ) -> Arc<[Row]> {
        // Sessions are all the memory that `full-nat` needs.
        let present = present.filter(|_| service.delivery != Delivery::FullNat);
        let before = present.and_then(|value| Some((value.id, current.rings.get(&value.ring.into())?)));
        let Some((id, before)) = before.map(|(id, rows)| (id, rows::inherited(rows, owners.len()))) else {
            self.times.insert(service.name.clone(), Times::new(owners.len(), inputs.now_s));
            return owners.iter().map(|&owner| Row::settled(owner)).collect();
        };
        let times = self.times.entry(service.name.clone()).or_default();
        if times.len() != owners.len() {
            *times = Times::new(owners.len(), inputs.now_s);
        }
        let serves =
            |slot: u16| snapshot.backends.get(&slot).is_some_and(|value| value.flags & BackendFlags::SERVES != 0);
        let moved: Arc<[Row]> =
            before.iter().zip(owners).map(|(row, &owner)| rows::moved(*row, owner, &serves)).collect();
        times.note(&before, &moved, inputs.now_s);
        let Some(census) = inputs.census else { return moved };
        let flip_s = flip_s(service, inputs.patience, census);
        let ripened =
            rows::ripened(&moved, times, &Ripeness { census, service: id.into(), flip_s, now_s: inputs.now_s });
        times.note(&moved, &ripened, inputs.now_s);
        ripened
    }

    /// Which of the service's backends owns each row.
    fn owners(&mut self, service: &Service, inputs: Inputs<'_>) -> Arc<[Option<u16>]> {
        let members: Vec<Member> = service
            .backends
            .iter()
            .map(|backend| Member {
                id: ring::identity(&backend.name),
                weight: if is_eligible(service, backend, inputs) { backend.weight } else { 0 },
            })
            .collect();
        if let Some(cached) = self.rings.get(&service.name)
            && cached.settings == service.ring
            && cached.members == members
        {
            return Arc::clone(&cached.owners);
        }
        let owners: Arc<[Option<u16>]> = ring::build(&service.ring, ring::identity(&service.name), &members).into();
        let cached = CachedRing { settings: service.ring, members, owners: Arc::clone(&owners) };
        self.rings.insert(service.name.clone(), cached);
        owners
    }
}

fn elements(rows: &[Row]) -> u32 {
    (rows.len() as u32).div_ceil(ROWS_PER_ELEMENT)
}

/// How long a row of the service moves.
const fn flip_s(service: &Service, patience: Patience, census: &Census) -> u64 {
    match service.protocol {
        Protocol::Udp => patience.datagrams_s,
        Protocol::Tcp if census.is_crowded => patience.crowded_s,
        Protocol::Tcp => patience.roomy_s,
    }
}

/// Whether a backend may be given new flows.
fn is_eligible(service: &Service, backend: &Backend, inputs: Inputs<'_>) -> bool {
    backend.state == AdminState::Up && (inputs.health)(&service.name, &backend.name) == Health::Up
}

/// The [`BackendFlags`] that say what a backend may be given.
fn duties(service: &Service, backend: &Backend, inputs: Inputs<'_>) -> u8 {
    if backend.state == AdminState::Disabled {
        return 0;
    }
    match (inputs.health)(&service.name, &backend.name) {
        Health::Up if backend.state == AdminState::Up => BackendFlags::ELIGIBLE | BackendFlags::SERVES,
        Health::Up | Health::Starting => BackendFlags::SERVES,
        Health::Suspect => BackendFlags::SERVES | BackendFlags::SUSPECT,
        Health::Gone => 0,
    }
}

/// The key of a service in the `services` map.
pub fn service_key(service: &Service) -> EndpointKey {
    EndpointKey::new(service.address.into(), service.port.unwrap_or(0), service.protocol.number())
}

/// The key that says that an address is ours, and answers echo requests.
fn address_key(address: IpAddr) -> EndpointKey {
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    EndpointKey::new(address.into(), 0, if address.is_ipv4() { ICMP } else { ICMPV6 })
}

fn put_backend(
    service: &Service,
    backend: &Backend,
    id: u32,
    slot: u16,
    inputs: Inputs<'_>,
    sources: &Sources,
    snapshot: &mut Snapshot,
) {
    let mut value = BackendValue {
        address: backend.address.into(),
        port: backend.port.unwrap_or(0),
        delivery: service.delivery as u8,
        service: id as u16,
        identity: ring::short_identity(&backend.name),
        flags: duties(service, backend, inputs),
        ..BackendValue::default()
    };
    let way = inputs.next_hops.get(&backend.address).and_then(|hop| {
        let source = match service.delivery {
            Delivery::FullNat => sources.towards(backend.address, hop)?,
            _ => outer_source(inputs.model, hop.source),
        };
        Some((hop, source))
    });
    if let Some((hop, source)) = way {
        value.flags |= BackendFlags::RESOLVED;
        value.source = source;
        value.mac = hop.mac;
        value.source_mac = hop.source_mac;
        value.ifindex = hop.ifindex;
        value.mtu = hop.mtu;
        snapshot.devices.insert(hop.ifindex);
    }
    snapshot.backends.insert(slot, value);
    if service.delivery == Delivery::Nat {
        // The model has made sure that no other service claims this source.
        let port = backend.port.or(service.port).unwrap_or(0);
        let key = EndpointKey::new(backend.address.into(), port, service.protocol.number());
        let reply =
            ReplyValue { address: service.address.into(), port: service.port.unwrap_or(0), backend: slot, service: id };
        snapshot.replies.insert(key, reply);
    }
}

/// The outer source of an encapsulation: the operator's choice, or else the kernel's.
fn outer_source(model: &Model, kernel: IpAddr) -> Address {
    match kernel {
        IpAddr::V4(_) => model.node.source_v4.map_or_else(|| kernel.into(), Address::from),
        IpAddr::V6(_) => model.node.source_v6.map_or_else(|| kernel.into(), Address::from),
    }
}

fn put_lists(model: &Model, snapshot: &mut Snapshot) {
    snapshot.prefixes.extend(model.firewall.allow.iter().map(|&prefix| (ListKind::Allow, prefix)));
    snapshot.prefixes.extend(model.firewall.deny.iter().map(|&prefix| (ListKind::Deny, prefix)));
}

fn settings(inputs: Inputs<'_>, snapshot: &Snapshot) -> Settings {
    let mut features = 0;
    if snapshot.prefixes.iter().any(|(list, _)| *list == ListKind::Allow) {
        features |= Features::ALLOW;
    }
    if snapshot.prefixes.iter().any(|(list, _)| *list == ListKind::Deny) {
        features |= Features::DENY;
    }
    if !snapshot.replies.is_empty() {
        features |= Features::NAT;
    }
    Settings { hash_key: inputs.hash_key, features }
}
