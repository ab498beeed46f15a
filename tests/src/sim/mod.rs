//! A node without a kernel: the daemon's planner and scan, the datapath's steering, and a clock that is told the time.
//!
//! Everything that decides is the product's own code; only the kernel's tables are replaced, by a snapshot and a
//! [`FlowMemory`]. So hours and thousands of connections pass in milliseconds, and always in the same way.

mod client;
mod operator;
pub mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
};

use lb_common::{BackendFlags, Entry, FLOW_WAYS, HashKey, Mac, Row, RowState, ServiceValue};
use lb_ebpf::{
    balance::{self, Access},
    frame::MemoryFrame,
    tables::Route,
};
use lb_userspace::{
    daemon,
    dataplane::{self, Occupied},
    model::{Model, Moment, Protocol, Service},
    plan::{Census, Guard, Health, History, Inputs, Patience, Planner, Snapshot, service_key},
    ring,
    routes::{NextHop, NextHops},
};

pub use self::client::{FLOWS_PER_CLIENT, Kind};
use crate::tables::{FlowMemory, SnapshotTables};

/// The clock of a node that has just been made: late enough that all times are.
const START_S: u64 = 100_000;

/// The time of day when the clock shows 0, in seconds since 1970.
const MIDNIGHT_S: u64 = 1_800_000_000;

/// One node with one service.
pub struct Node {
    model: Model,
    health: BTreeMap<String, Health>,
    planner: Planner,
    snapshot: Snapshot,
    flows: Rc<FlowMemory>,
    /// The names of all backends that there have ever been, by identity.
    names: BTreeMap<u32, String>,
    census: Census,
    patience: Patience,
    keeps: daemon::Keeps,
    weights: BTreeMap<(String, String), u32>,
    /// The time of day when the clock showed 0, in seconds since 1970.
    midnight_s: u64,
    /// What a daemon would have in its file.
    history: History,
}

impl Node {
    /// A node whose flow table has so many sets.
    pub fn new(protocol: Protocol, backends: &[&str], sets: usize) -> Self {
        let mut node = Self {
            model: operator::model(protocol),
            health: BTreeMap::new(),
            planner: Planner::default(),
            snapshot: Snapshot::default(),
            flows: Rc::new(FlowMemory::new(sets, START_S)),
            names: BTreeMap::new(),
            census: Census::default(),
            patience: Patience::default(),
            keeps: daemon::Keeps::default(),
            weights: BTreeMap::new(),
            midnight_s: MIDNIGHT_S,
            history: History::default(),
        };
        node.change(|service| service.backends = backends.iter().map(|name| operator::backend(name)).collect());
        node
    }

    /// Changes the configuration, as a command does.
    pub fn change(&mut self, edit: impl FnOnce(&mut Service)) {
        edit(&mut self.model.services[0]);
        let names = self.model.services[0].backends.iter().map(|backend| backend.name.clone());
        self.names.extend(names.map(|name| (ring::short_identity(&name), name)));
        self.synchronise(None);
    }

    /// Says how long rows move from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Takes note of what the checks say of a backend.
    pub fn set_health(&mut self, backend: &str, health: Health) {
        self.health.insert(backend.to_owned(), health);
        self.synchronise(None);
    }

    /// Another daemon takes over what is in the tables. Of health it knows what they say: who may be given new flows is
    /// up, the others have to be checked first.
    pub fn restart(&mut self) {
        self.planner = Planner::after(self.history.clone());
        for backend in &self.model.services[0].backends {
            let identity = ring::short_identity(&backend.name);
            let was_up = self
                .snapshot
                .backends
                .values()
                .any(|value| value.identity == identity && value.flags & BackendFlags::ELIGIBLE != 0);
            self.health.insert(backend.name.clone(), if was_up { Health::Up } else { Health::Starting });
        }
        // What it finds is kept for nothing, but what nobody needs is removed before slots are given away.
        self.scan(self.flows.entries());
        self.synchronise(None);
    }

    /// The node as it is when its machine has started anew and was away for some seconds: without tables and flows, and with
    /// a clock that begins again.
    pub fn rebooted(&self, seconds: u64) -> Self {
        const BOOT_S: u64 = 20;
        let mut node = Self {
            model: self.model.clone(),
            health: self.health.clone(),
            planner: Planner::after(self.history.clone()),
            snapshot: Snapshot::default(),
            flows: Rc::new(FlowMemory::new(self.flows.room() / FLOW_WAYS, BOOT_S)),
            names: self.names.clone(),
            census: Census::default(),
            patience: self.patience,
            keeps: daemon::Keeps::default(),
            weights: BTreeMap::new(),
            midnight_s: self.now().seconds() + seconds - BOOT_S,
            history: self.history.clone(),
        };
        node.synchronise(None);
        node
    }

    /// Lets time pass without a daemon.
    pub fn pass(&mut self, seconds: u64) {
        self.flows.pass(seconds);
    }

    /// Lets time pass, and then the daemon scan the flow table.
    pub fn tick(&mut self, seconds: u64) {
        self.flows.pass(seconds);
        self.census = self.scan(self.flows.entries());
        self.synchronise(Some(self.census.clone()));
    }

    /// Lets time pass with scans in between: close to each other at first, as the daemon's are, then ever farther apart.
    pub fn wait(&mut self, seconds: u64) {
        let mut passed = 0;
        while passed < seconds {
            let step = (seconds - passed).min(passed.max(1));
            self.tick(step);
            passed += step;
        }
    }

    /// Like [`Node::tick`], but `meet` is called with each entry just after the scan has read it.
    pub fn tick_meeting(&mut self, seconds: u64, meet: impl Fn(&Self, Entry)) {
        self.flows.pass(seconds);
        self.census = self.scan(self.flows.entries().inspect(|occupied| meet(self, occupied.entry)));
        self.synchronise(Some(self.census.clone()));
    }

    fn scan<'a>(&self, entries: impl Iterator<Item = Occupied<'a>>) -> Census {
        let census = daemon::scan(entries, self.flows.room(), &self.snapshot, &self.keeps, self.flows.now_s());
        Census { overflowed_s: self.flows.overflowed_s(), ..census }
    }

    /// Brings the tables to what is wanted.
    fn synchronise(&mut self, census: Option<Census>) {
        let next_hops = next_hops(&self.model);
        let health = &self.health;
        let inputs = Inputs {
            model: &self.model,
            lists: &Arc::default(),
            health: &|_, backend| health.get(backend).copied().unwrap_or(Health::Up),
            next_hops: &next_hops,
            hash_key: HashKey::expand([1, 2]),
            devices: &BTreeSet::new(),
            macs: &[],
            interfaces: &BTreeMap::new(),
            ephemeral: lb_userspace::plan::EPHEMERAL,
            patience: self.patience,
            guard: &Guard::default(),
            census: census.as_ref(),
            now_s: self.flows.now_s(),
            now: self.now(),
        };
        let desired = self.planner.desired(inputs, &self.snapshot).expect("tables that are large enough");
        let before = self.snapshot.clone();
        dataplane::apply(&mut self.snapshot, &before, &desired.snapshot).expect("memory refuses nothing");
        assert!(self.snapshot == desired.snapshot, "the changes lead to what is wanted");
        (self.keeps, self.weights) = (desired.keeps, desired.weights);
        self.history = self.planner.news().cloned().unwrap_or_else(|| self.history.clone());
    }

    /// Sends a packet of a client's flow; the name of the backend that it goes to.
    pub fn packet(&self, flow: u32, kind: Kind) -> Option<&str> {
        let service = self.service();
        let packet = client::packet(flow, kind, &self.model.services[0]);
        let tables = SnapshotTables::with_flows(&self.snapshot, |_| Route::Unreachable, Rc::clone(&self.flows));
        // The services of the simulation have no need to look into a packet.
        let mut nothing = [];
        let frame = MemoryFrame::new(&mut nothing, 0, 0);
        let settings = &self.snapshot.settings;
        let choice = balance::choose(&frame, &packet, service, Access::Track, settings, &tables).ok()?;
        assert_eq!(choice.backend.service, service.id, "a backend of another service");
        Some(&self.names[&choice.backend.identity])
    }

    /// The time, in seconds.
    pub fn now_s(&self) -> u64 {
        self.flows.now_s()
    }

    /// The time of day.
    pub fn now(&self) -> Moment {
        Moment::from_seconds(self.midnight_s + self.now_s())
    }

    /// What the last scan found.
    pub const fn census(&self) -> &Census {
        &self.census
    }

    /// The row that a flow belongs to.
    pub fn row(&self, flow: u32) -> Row {
        self.rows()[self.row_index(flow)]
    }

    /// The number of that row.
    pub fn row_index(&self, flow: u32) -> usize {
        balance::row_index(self.hash(flow), self.model.services[0].ring.bits) as usize
    }

    /// The service's rows.
    pub fn rows(&self) -> &[Row] {
        &self.snapshot.rings[&self.service().ring.into()]
    }

    fn service(&self) -> &ServiceValue {
        let service = &self.model.services[0];
        &self.snapshot.services[&service_key(service, service.ports.only().unwrap_or(0))]
    }

    /// How many rows are in a state.
    pub fn rows_in(&self, state: RowState) -> usize {
        self.rows().iter().filter(|row| row.state() == state).count()
    }

    /// The flow's entry in the flow table.
    pub fn entry(&self, flow: u32) -> Option<Entry> {
        self.flows.entry_of(self.hash(flow))
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.flows.entries().count()
    }

    /// The slot of a backend.
    pub fn slot(&self, backend: &str) -> Option<u16> {
        let identity = ring::short_identity(backend);
        self.snapshot.backends.iter().find(|(_, value)| value.identity == identity).map(|(&slot, _)| slot)
    }

    /// The name of the backend in a slot.
    pub fn name(&self, slot: u16) -> Option<&str> {
        self.snapshot.backends.get(&slot).map(|value| self.names[&value.identity].as_str())
    }

    /// The weight that a backend's share follows from.
    pub fn weight(&self, backend: &str) -> u32 {
        self.weights[&(self.model.services[0].name.clone(), backend.to_owned())]
    }

    /// Whether time alone will change a weight.
    pub const fn is_ramping(&self) -> bool {
        self.planner.is_ramping()
    }

    /// Whether slots of former backends wait for a scan.
    pub fn has_retired(&self) -> bool {
        self.planner.has_retired()
    }

    fn hash(&self, flow: u32) -> u64 {
        let packet = client::packet(flow, Kind::Data, &self.model.services[0]);
        self.service().hash(&packet.flow(), &self.snapshot.settings.hash_key)
    }
}

/// All backends are neighbours.
fn next_hops(model: &Model) -> NextHops {
    let hop = NextHop {
        ifindex: 2,
        vlan: None,
        interface: "eth0".to_owned(),
        mac: Mac::new([2, 0, 0, 0, 0, 2]),
        source_mac: Mac::new([2, 0, 0, 0, 0, 1]),
        source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        mtu: 1500,
        is_local: false,
    };
    model.services[0].backends.iter().map(|backend| (backend.address, hop.clone())).collect()
}
