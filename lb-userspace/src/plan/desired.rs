//! From what is wanted to what the tables should hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::{
    AddressFilter, BackendFlags, Features, HashKey, MAX_BACKENDS, MAX_MACS, MAX_PORT_BLOCKS, MAX_ROWS, MAX_SERVICES,
    Mac, PortSpan, RuleSettings, ServiceFlags, ServiceValue, Settings,
};

use super::{
    Snapshot,
    allocate::{Free, Regions},
    backends, guard,
    history::{History, Party},
    ramps::{self, Ramps, Takes},
    rings::{CachedRing, Crew},
    rows::{Census, Keep, Patience, Times},
    rules, sanity, services,
    sources::Sources,
};
use crate::{
    lists::{Lists, Scopes},
    model::{Backend, Delivery, Model, Moment, Protect, Service},
    ring,
    routes::NextHops,
};

/// What Linux chooses from for sockets that name no port, if it is told nothing else.
pub const EPHEMERAL: PortSpan = PortSpan { first: 32_768, last: 60_999 };

/// All that the tables depend on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What the operator wants.
    pub model: &'a Model,
    /// What the checks say of a backend: `(service, backend)`.
    pub health: &'a dyn Fn(&str, &str) -> Health,
    /// What is on the firewall's lists.
    pub lists: &'a Arc<Lists>,
    /// The ways to the backends.
    pub next_hops: &'a NextHops,
    /// The flow hash's key.
    pub hash_key: HashKey,
    /// The interfaces that the program is attached to.
    pub devices: &'a BTreeSet<u32>,
    /// The MAC addresses that frames for this node are addressed to, the likeliest first.
    pub macs: &'a [Mac],
    /// The ports that the node's kernel chooses from for sockets that name none.
    pub ephemeral: PortSpan,
    /// The indices of those that rules may name, by name.
    pub interfaces: &'a BTreeMap<String, u32>,
    /// How long rows move.
    pub patience: Patience,
    /// What has been decided about SYN protection.
    pub guard: &'a guard::Guard,
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
#[derive(Clone, Debug, Default)]
pub struct Planner {
    pub(super) regions: Regions,
    /// Places of blocks of port ranges, which are reused as late as those of rings.
    blocks: Regions,
    pub(super) rings: BTreeMap<String, CachedRing>,
    pub(super) times: BTreeMap<String, Times>,
    /// Slots of backends that are no more, with the time since when: entries may still name them.
    retired: BTreeMap<u16, u64>,
    /// Ids of services whose flows are no longer tracked, with the time since when: entries of them may still be there.
    pub(super) untracked: BTreeMap<u32, u64>,
    ramps: Ramps,
    /// Whether a backend has less than the weight that was asked for, for now.
    is_ramping: bool,
    pub(super) history: History,
    /// Whether there is something in the history that [`Planner::news`] has not told.
    pub(super) has_news: bool,
}

/// What a service's part of the snapshot is made with.
struct Numbers {
    ids: Free,
    slots: Free,
    /// The slots that are taken, by service id and backend identity.
    taken: BTreeMap<(u16, u32), u16>,
    /// What `full-nat` sessions come from.
    sources: Sources,
}

impl Numbers {
    fn new(inputs: Inputs<'_>, current: &Snapshot, retired: &BTreeMap<u16, u64>) -> Self {
        let ids = current.services_by_id().into_keys().map(u32::from);
        Self {
            ids: Free::new(0..MAX_SERVICES, ids),
            slots: Free::new(0..MAX_BACKENDS, current.backends.keys().chain(retired.keys()).map(|&slot| slot.into())),
            taken: current.backends.iter().map(|(&slot, value)| ((value.service, value.identity), slot)).collect(),
            sources: Sources::new(inputs, current),
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
        let mut numbers = Numbers::new(inputs, current, &self.retired);
        let present = services::present(inputs.model, current);
        let mut values = Vec::with_capacity(inputs.model.services.len());
        for service in &inputs.model.services {
            let before = present.get(service.name.as_str());
            let value = self.put_service(service, before, inputs, current, &mut numbers, &mut desired)?;
            values.push((service, value));
        }
        services::put(&values, current, &mut self.blocks, &mut desired.snapshot)?;
        numbers.sources.put(&mut desired.snapshot);
        self.rings.retain(|name, _| desired.service_ids.contains_key(name));
        self.times.retain(|name, _| desired.service_ids.contains_key(name));
        self.ramps.retain(|name| desired.service_ids.contains_key(name));
        self.has_news |= self.history.retain(|name| desired.service_ids.contains_key(name));
        self.untracked.retain(|id, _| desired.keeps.contains_key(id));
        let gone = current.backends.keys().filter(|slot| !desired.snapshot.backends.contains_key(slot));
        self.retired.extend(gone.map(|&slot| (slot, inputs.now_s)));
        desired.snapshot.lists = Arc::clone(inputs.lists);
        desired.snapshot.scopes = scopes(inputs, &desired.service_ids);
        desired.snapshot.sanity = sanity::elements(inputs.model, &desired.service_ids);
        let rules = rules::put(inputs, &desired.service_ids, current, &mut desired.snapshot);
        desired.snapshot.settings = settings(inputs, rules, &desired.snapshot, &current.settings);
        desired.snapshot.syn = guard::settings(inputs.guard, &inputs.model.syn);
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
            backends::put(service, backend, id, slot, inputs, &numbers.sources, &mut desired.snapshot);
            desired.slots.insert((service.name.clone(), backend.name.clone()), slot);
        }
        let crew = Crew { slots, parties: self.parties(service, inputs) };
        let ring = self.put_ring(service, &crew, inputs, present, current, &mut desired.snapshot)?;
        desired.snapshot.sources.extend(service.allow_from.iter().map(|&source| (id as u16, source)));
        desired.keeps.insert(id, inputs.patience.keep(service));
        let weights = crew.parties.into_iter().map(|party| ((service.name.clone(), party.name), party.weight));
        desired.weights.extend(weights);
        desired.service_ids.insert(service.name.clone(), id);
        let sessions = if service.delivery == Delivery::FullNat { ServiceFlags::FULL_NAT } else { 0 };
        let restricted = if service.allow_from.is_empty() { 0 } else { ServiceFlags::RESTRICTED };
        let quic = service.quic.map_or(0, ServiceValue::quic_flags);
        Ok(ServiceValue {
            ring: ring as u16,
            id: id as u16,
            flags: service.affinity.flag() | restricted | sessions | quic | guard::flags(inputs.guard, service),
            ring_bits: service.ring.bits as u8,
            client_bits: service.affinity.clients().map_or(0, |clients| clients.bits),
        })
    }

    /// What each backend of the service may be given now.
    fn parties(&mut self, service: &Service, inputs: Inputs<'_>) -> Vec<Party> {
        let taking = service.backends.iter().map(|backend| (backend, backends::takes(service, backend, inputs)));
        self.ramps.follow(&service.name, taking, inputs.now_s);
        let weight = |backend: &Backend| match self.ramps.up(&service.name, &backend.name, inputs.now_s) {
            _ if backends::takes(service, backend, inputs) != Takes::All => 0,
            Some(up) => ramps::weight(backend.weight, up, service.slow_start),
            None => backend.weight,
        };
        let party = |backend: &Backend| Party {
            name: backend.name.clone(),
            weight: weight(backend),
            serves: backends::duties(service, backend, inputs) & BackendFlags::SERVES != 0,
        };
        let parties: Vec<Party> = service.backends.iter().map(party).collect();
        let ramps = |(backend, party): (&Backend, &Party)| (1..backend.weight).contains(&party.weight);
        self.is_ramping |= service.backends.iter().zip(&parties).any(ramps);
        parties
    }
}

/// A list is for all packets, unless it names services.
fn scopes(inputs: Inputs<'_>, service_ids: &BTreeMap<String, u32>) -> Scopes {
    let mut scopes = Scopes::default();
    for (&number, list) in &inputs.lists.0 {
        let named = inputs.model.firewall.lists.iter().find(|named| named.name == list.name);
        let services = named.map_or(&[][..], |named| &named.services);
        if services.is_empty() {
            scopes.all |= 1 << number;
        }
        for id in services.iter().filter_map(|name| service_ids.get(name)) {
            *scopes.services.entry(*id as u16).or_default() |= 1 << number;
        }
    }
    scopes
}

/// The settings of a snapshot. Whether somebody looks at drops is no matter of the configuration, and stays as it is.
fn settings(inputs: Inputs<'_>, rules: RuleSettings, snapshot: &Snapshot, current: &Settings) -> Settings {
    let mut features = current.features & Features::SAMPLE;
    if !snapshot.lists.is_empty() {
        features |= Features::LISTS;
        if snapshot.scopes.is_scoped() {
            features |= Features::SCOPED_LISTS;
        }
    }
    if !snapshot.replies.is_empty() {
        features |= Features::NAT;
    }
    if !snapshot.node_addresses.is_empty() {
        features |= Features::FULL_NAT;
    }
    let ephemeral = match inputs.model.firewall.protect {
        Protect::Services => PortSpan::default(),
        Protect::Node => {
            features |= Features::PROTECT;
            inputs.ephemeral
        }
    };
    let (prefix_bits_v4, prefix_bits_v6) = (snapshot.prefix_lengths(true), snapshot.prefix_lengths(false));
    if prefix_bits_v4[0] | prefix_bits_v6[0] != 0 {
        features |= Features::PREFIXES;
    }
    if rules.lines != 0 {
        features |= Features::RULES;
    }
    let block = snapshot.rules.get(&rules.bank);
    if rules.limits != 0 || block.is_some_and(|block| block.scopes.iter().any(|&limits| limits != 0)) {
        features |= Features::LIMITS;
    }
    Settings {
        hash_key: inputs.hash_key,
        features,
        macs: receivers(inputs.macs),
        prefix_bits_v4,
        prefix_bits_v6,
        services: AddressFilter::of(snapshot.services.keys().map(|key| key.address)),
        replies: AddressFilter::of(snapshot.replies.keys().map(|key| key.address)),
        sample_until_ns: current.sample_until_ns,
        samples_per_interval: current.samples_per_interval,
        rules,
        ephemeral,
        zero: 0,
        amplifiers: sanity::amplifiers(inputs.model, &snapshot.sanity),
    }
}

/// The receivers whose frames are taken. If there is no room for all of them, every frame is: to miss one would cut off
/// whoever sends to it.
fn receivers(macs: &[Mac]) -> [Mac; MAX_MACS] {
    let mut receivers = [Mac::default(); MAX_MACS];
    if macs.len() <= receivers.len() {
        receivers[..macs.len()].copy_from_slice(macs);
    }
    receivers
}
