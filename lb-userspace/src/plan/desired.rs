//! From what is wanted to what the tables should hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Range,
    sync::Arc,
};

use lb_common::{
    Address, AddressFilter, BackendFlags, BackendValue, EndpointKey, Features, HashKey, ListKind, MAX_BACKENDS,
    MAX_PORT_BLOCKS, MAX_ROWS, MAX_SERVICES, ROWS_PER_ELEMENT, ReplyValue, Row, RowState, ServiceFlags, ServiceValue,
    Settings,
};

use super::{
    Snapshot,
    allocate::{Free, Regions},
    history::{self, Epoch, History, Party, Replay},
    ramps::{self, Ramps, Takes},
    rows::{self, Census, Keep, Patience, Ripeness, Times},
    services,
};
use crate::{
    model::{AdminState, Backend, Delivery, Model, Moment, RingSettings, Service, Track},
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
    /// The time of day.
    pub now: Moment,
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
    /// The weight that each backend's share follows from, by service and name: 0 if it takes no new flows, less than the
    /// one that was asked for while it starts slowly.
    pub weights: BTreeMap<(String, String), u32>,
    /// For how long silent flows of a service are remembered, by its id.
    pub keeps: BTreeMap<u32, Keep>,
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
    /// No place for a block of port ranges is free.
    #[error("there is room for the port ranges of {MAX_PORT_BLOCKS} addresses; use fewer addresses with ranges")]
    PortBlocks,
}

/// Makes desired snapshots; remembers rings, because they are the costly part and most changes touch one.
#[derive(Debug, Default)]
pub struct Planner {
    regions: Regions,
    /// Places of blocks of port ranges, which are reused as late as those of rings.
    blocks: Regions,
    rings: BTreeMap<String, CachedRing>,
    times: BTreeMap<String, Times>,
    /// Slots of backends that are no more, with the time since when: entries may still name them.
    retired: BTreeMap<u16, u64>,
    /// Ids of services whose flows are no longer tracked, with the time since when: entries of them may still be there.
    untracked: BTreeMap<u32, u64>,
    ramps: Ramps,
    /// Whether a backend has less than the weight that was asked for, for now.
    is_ramping: bool,
    history: History,
    /// Whether there is something in the history that [`Planner::news`] has not told.
    has_news: bool,
}

#[derive(Debug)]
struct CachedRing {
    settings: RingSettings,
    members: Vec<Member>,
    owners: Arc<[Option<u16>]>,
}

/// A service's backends, in its order: where each stands, and what it may be given.
struct Crew {
    slots: Vec<u16>,
    parties: Vec<Party>,
}

impl Crew {
    /// The slot of the backend with this name.
    fn slot(&self, name: &str) -> Option<u16> {
        let named = self.parties.iter().position(|party| party.name == name);
        named.and_then(|index| self.slots.get(index).copied())
    }
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
        let ids = current.each_service().map(|(_, service)| service.id.into());
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
    /// A planner that remembers what a former one has told of the past.
    pub fn after(history: History) -> Self {
        Self { history, ..Self::default() }
    }

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
            weights: BTreeMap::new(),
            keeps: BTreeMap::new(),
        };
        self.release(inputs.census);
        self.is_ramping = false;
        let mut numbers = Numbers::new(current, &self.retired);
        let present = services::present(inputs.model, current);
        let mut values = Vec::with_capacity(inputs.model.services.len());
        for service in &inputs.model.services {
            let before = present.get(service.name.as_str());
            values.push((service, self.put_service(service, before, inputs, current, &mut numbers, &mut desired)?));
        }
        services::put(&values, current, &mut self.blocks, &mut desired.snapshot)?;
        self.rings.retain(|name, _| desired.service_ids.contains_key(name));
        self.times.retain(|name, _| desired.service_ids.contains_key(name));
        self.ramps.retain(|name| desired.service_ids.contains_key(name));
        self.has_news |= self.history.retain(|name| desired.service_ids.contains_key(name));
        self.untracked.retain(|id, _| desired.keeps.contains_key(id));
        let gone = current.backends.keys().filter(|slot| !desired.snapshot.backends.contains_key(slot));
        self.retired.extend(gone.map(|&slot| (slot, inputs.now_s)));
        put_lists(inputs.model, &mut desired.snapshot);
        desired.snapshot.settings = settings(inputs, &desired.snapshot);
        Ok(desired)
    }

    /// Whether slots, or services whose flows are no longer tracked, wait for a scan that shows that no entry of them is left.
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty() || !self.untracked.is_empty()
    }

    /// Whether a backend starts slowly, so that time alone will change its weight.
    pub const fn is_ramping(&self) -> bool {
        self.is_ramping
    }

    /// The history, if it has changed since it was last asked for.
    pub fn news(&mut self) -> Option<&History> {
        std::mem::take(&mut self.has_news).then_some(&self.history)
    }

    /// Lets go of what a scan since its retirement has found no entry of.
    fn release(&mut self, census: Option<&Census>) {
        let Some(census) = census else { return };
        self.retired.retain(|slot, since_s| census.began_s <= *since_s + 1 || census.flows.contains_key(slot));
        self.untracked.retain(|id, since_s| census.began_s <= *since_s + 1 || census.rows.contains_key(id));
    }

    /// Puts all that a service needs into the snapshot, and returns what its entries are to say.
    fn put_service(
        &mut self,
        service: &Service,
        present: Option<&ServiceValue>,
        inputs: Inputs<'_>,
        current: &Snapshot,
        numbers: &mut Numbers,
        desired: &mut Desired,
    ) -> Result<ServiceValue, PlanError> {
        let id = match present {
            Some(value) => value.id.into(),
            None => numbers.ids.take().ok_or(PlanError::Services)?,
        };
        let mut slots = Vec::with_capacity(service.backends.len());
        for backend in &service.backends {
            let slot = numbers.slot(id, backend)?;
            slots.push(slot);
            put_backend(service, backend, id, slot, inputs, &mut desired.snapshot);
            desired.slots.insert((service.name.clone(), backend.name.clone()), slot);
        }
        let crew = Crew { slots, parties: self.parties(service, inputs) };
        let ring = self.put_ring(service, &crew, inputs, present, current, &mut desired.snapshot)?;
        desired.snapshot.sources.extend(service.allow_from.iter().map(|&source| (id as u16, source)));
        desired.keeps.insert(id, inputs.patience.keep(service));
        let weights = crew.parties.into_iter().map(|party| ((service.name.clone(), party.name), party.weight));
        desired.weights.extend(weights);
        desired.service_ids.insert(service.name.clone(), id);
        let restricted = if service.allow_from.is_empty() { 0 } else { ServiceFlags::RESTRICTED };
        Ok(ServiceValue {
            ring: ring as u16,
            id: id as u16,
            flags: service.affinity.flag() | restricted | service.quic.map_or(0, ServiceValue::quic_flags),
            ring_bits: service.ring.bits as u8,
            client_bits: service.affinity.clients().map_or(0, |clients| clients.bits),
        })
    }

    /// What each backend of the service may be given now.
    fn parties(&mut self, service: &Service, inputs: Inputs<'_>) -> Vec<Party> {
        let taking = service.backends.iter().map(|backend| (backend, takes(service, backend, inputs)));
        self.ramps.follow(&service.name, taking, inputs.now_s);
        let weight = |backend: &Backend| match self.ramps.up(&service.name, &backend.name, inputs.now_s) {
            _ if takes(service, backend, inputs) != Takes::All => 0,
            Some(up) => ramps::weight(backend.weight, up, service.slow_start),
            None => backend.weight,
        };
        let party = |backend: &Backend| Party {
            name: backend.name.clone(),
            weight: weight(backend),
            serves: duties(service, backend, inputs) & BackendFlags::SERVES != 0,
        };
        let parties: Vec<Party> = service.backends.iter().map(party).collect();
        let ramps = |(backend, party): (&Backend, &Party)| (1..backend.weight).contains(&party.weight);
        self.is_ramping |= service.backends.iter().zip(&parties).any(ramps);
        parties
    }

    /// Puts the service's ring into the snapshot: where it is if its rows are the same, in a free region otherwise.
    fn put_ring(
        &mut self,
        service: &Service,
        crew: &Crew,
        inputs: Inputs<'_>,
        present: Option<&ServiceValue>,
        current: &Snapshot,
        snapshot: &mut Snapshot,
    ) -> Result<u32, PlanError> {
        let rows = self.rows(service, crew, inputs, present, current, snapshot);
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
        crew: &Crew,
        inputs: Inputs<'_>,
        present: Option<&ServiceValue>,
        current: &Snapshot,
        snapshot: &Snapshot,
    ) -> Arc<[Row]> {
        let owners = self.owners(service, crew);
        let now_s = inputs.now_s.cast_signed();
        let (id, before) = match present.and_then(|value| Some((value.id, current.rings.get(&value.ring.into())?))) {
            Some((id, rows)) => (Some(id), Some(Arc::clone(rows))),
            None => (None, self.remembered(service, crew, inputs)),
        };
        self.remember(service, crew, inputs);
        let Some(before) = before.map(|rows| rows::inherited(&rows, owners.len())) else {
            self.times.insert(service.name.clone(), Times::new(owners.len(), now_s));
            return owners
                .iter()
                .map(|&owner| rows::moved(Row::settled(owner), owner, &|_| true, service.track))
                .collect();
        };
        let times = self.times.entry(service.name.clone()).or_default();
        if times.len() != owners.len() {
            *times = Times::new(owners.len(), now_s);
        }
        let serves =
            |slot: u16| snapshot.backends.get(&slot).is_some_and(|value| value.flags & BackendFlags::SERVES != 0);
        let moved = |(row, &owner): (&Row, &u16)| rows::moved(*row, owner, &serves, service.track);
        let moved: Arc<[Row]> = before.iter().zip(&owners).map(moved).collect();
        times.note(&before, &moved, now_s);
        let Some(id) = id else { return moved };
        if service.track != Track::Never {
            self.untracked.remove(&id.into());
        } else if before.iter().any(|row| row.state() != RowState::Settled) {
            self.untracked.insert(id.into(), inputs.now_s);
        }
        let Some(census) = inputs.census else { return moved };
        let flip_s = inputs.patience.flip_s(service, census.is_crowded);
        let ripeness = Ripeness { census, service: id.into(), track: service.track, flip_s, now_s };
        let ripened = rows::ripened(&moved, times, &ripeness);
        times.note(&moved, &ripened, now_s);
        ripened
    }

    /// The rows that the service would have, had this node never been without tables. Its flows are not in the flow table.
    fn remembered(&mut self, service: &Service, crew: &Crew, inputs: Inputs<'_>) -> Option<Arc<[Row]>> {
        let (now_s, since_1970_s) = (inputs.now_s.cast_signed(), inputs.now.seconds());
        let replay = Replay {
            service: &service.name,
            track: service.track,
            flip_s: inputs.patience.flip_s(service, false),
            slot: &|name| crew.slot(name),
            now_s: since_1970_s,
        };
        let (rows, times) = history::replay(self.history.of(&service.name), &replay)?;
        let times = times.by_other_clock(now_s - since_1970_s.cast_signed(), now_s);
        self.times.insert(service.name.clone(), times);
        Some(rows)
    }

    /// Notes what the service's backends may be given from now on.
    fn remember(&mut self, service: &Service, crew: &Crew, inputs: Inputs<'_>) {
        let parties = crew.parties.clone();
        let epoch = Epoch { since_s: inputs.now.seconds(), ring: service.ring, parties };
        self.has_news |= self.history.note(&service.name, epoch, inputs.patience.flip_s(service, false));
    }

    /// The slot that owns each row.
    fn owners(&mut self, service: &Service, crew: &Crew) -> Vec<u16> {
        let owners = self.ring(service, &crew.parties);
        let slot = |owner: &Option<u16>| owner.and_then(|index| crew.slots.get(usize::from(index)).copied());
        owners.iter().map(|owner| slot(owner).unwrap_or(Row::NOBODY)).collect()
    }

    /// Which of the service's backends owns each row.
    fn ring(&mut self, service: &Service, parties: &[Party]) -> Arc<[Option<u16>]> {
        let members: Vec<Member> =
            parties.iter().map(|party| Member { id: ring::identity(&party.name), weight: party.weight }).collect();
        if let Some(cached) = self.rings.get(&service.name)
            && cached.settings == service.ring
            && cached.members == members
        {
            return Arc::clone(&cached.owners);
        }
        let seed = service.ring.seed_of(service.owner());
        let owners: Arc<[Option<u16>]> = ring::build(&service.ring, seed, &members).into();
        let cached = CachedRing { settings: service.ring, members, owners: Arc::clone(&owners) };
        self.rings.insert(service.name.clone(), cached);
        owners
    }
}

fn elements(rows: &[Row]) -> u32 {
    (rows.len() as u32).div_ceil(ROWS_PER_ELEMENT)
}

/// Whether a backend may be given new flows.
fn takes(service: &Service, backend: &Backend, inputs: Inputs<'_>) -> Takes {
    match (backend.state_at(inputs.now), (inputs.health)(&service.name, &backend.name)) {
        (AdminState::Up, Health::Up) => Takes::All,
        (AdminState::Up, Health::Starting) => Takes::NotYet,
        _ => Takes::Nothing,
    }
}

/// The [`BackendFlags`] that say what a backend may be given.
fn duties(service: &Service, backend: &Backend, inputs: Inputs<'_>) -> u8 {
    let state = backend.state_at(inputs.now);
    if state == AdminState::Disabled {
        return 0;
    }
    match (inputs.health)(&service.name, &backend.name) {
        Health::Up if state == AdminState::Up => BackendFlags::ELIGIBLE | BackendFlags::SERVES,
        Health::Up | Health::Starting => BackendFlags::SERVES,
        Health::Suspect => BackendFlags::SERVES | BackendFlags::SUSPECT,
        Health::Gone => 0,
    }
}

fn put_backend(service: &Service, backend: &Backend, id: u32, slot: u16, inputs: Inputs<'_>, snapshot: &mut Snapshot) {
    let mut value = BackendValue {
        address: backend.address.into(),
        port: backend.port.unwrap_or(0),
        delivery: service.delivery as u8,
        gue_port: if service.delivery == Delivery::Gue { service.gue_port } else { 0 },
        service: id as u16,
        identity: ring::short_identity(&backend.name),
        flags: duties(service, backend, inputs),
        ..BackendValue::default()
    };
    match inputs.next_hops.get(&backend.address) {
        Some(hop) if hop.is_local && can_be_local(service.delivery) => {
            value.flags |= BackendFlags::RESOLVED | BackendFlags::LOCAL;
        }
        Some(hop) if !hop.is_local => {
            value.flags |= BackendFlags::RESOLVED;
            value.source = outer_source(inputs.model, hop.source);
            value.mac = hop.mac;
            value.source_mac = hop.source_mac;
            value.ifindex = hop.ifindex;
            value.vlan = hop.vlan.unwrap_or(0);
            value.mtu = hop.mtu;
            snapshot.devices.insert(hop.ifindex);
        }
        _ => {}
    }
    snapshot.backends.insert(slot, value);
    if let Some(server) = backend.server_id {
        snapshot.servers.insert((id as u16, server.number()), slot);
    }
    if service.delivery == Delivery::Nat {
        put_replies(service, backend, id, slot, snapshot);
    }
}

/// Puts the sources of a `nat` backend's replies into the snapshot. The model has made sure that no other service claims
/// them.
fn put_replies(service: &Service, backend: &Backend, id: u32, slot: u16, snapshot: &mut Snapshot) {
    let key = |port| EndpointKey::new(backend.address.into(), port, service.protocol.number());
    let value = ReplyValue {
        address: services::first_address(service),
        port: 0,
        backend: slot,
        service: id as u16,
        is_checked: u16::from(!service.ports.is_any()),
    };
    for port in service.ports.singles() {
        snapshot.replies.insert(key(backend.port.unwrap_or(port)), ReplyValue { port, is_checked: 0, ..value });
    }
    if service.ports.is_any() || service.ports.ranges().next().is_some() {
        snapshot.replies.insert(key(0), value);
    }
}

/// Whether a backend may be this node itself: the service's address must be one that the server answers from. What is
/// rewritten would have to be rewritten back, and replies of the node's own never pass XDP.
pub const fn can_be_local(delivery: Delivery) -> bool {
    match delivery {
        Delivery::L2 | Delivery::Ipip | Delivery::Gue => true,
        Delivery::Nat => false,
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
    let (prefix_bits_v4, prefix_bits_v6) = (snapshot.prefix_lengths(true), snapshot.prefix_lengths(false));
    if prefix_bits_v4[0] | prefix_bits_v6[0] != 0 {
        features |= Features::PREFIXES;
    }
    Settings {
        hash_key: inputs.hash_key,
        features,
        prefix_bits_v4,
        prefix_bits_v6,
        services: AddressFilter::of(snapshot.services.keys().map(|key| key.address)),
        replies: AddressFilter::of(snapshot.replies.keys().map(|key| key.address)),
    }
}
