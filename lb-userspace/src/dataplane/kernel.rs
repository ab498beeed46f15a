//! The kernel as a [`Dataplane`].

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, MapError},
    programs::{ProgramError, Xdp},
    util::nr_cpus,
};
use lb_common::{
    Bucket, EndpointKey, Features, MAX_LIMITS, MAX_SERVICES, PortBlock, ROWS_PER_ELEMENT, RingElement, Row,
    ServiceValue,
};

use super::{
    Attached, Counters, Dataplane, DataplaneError, FlowTable, LB_OBJECT, LB_PROGRAM, Plain, SessionArray, links, lists,
    pin,
    tables::{Records, Rings, Tables, failed, reset},
};
use crate::{
    lists::{ListTables, Lists, Sizes},
    plan::{Change, Snapshot},
};

/// The loaded program and its maps. Dropping it leaves everything that is pinned as it is.
pub struct Kernel {
    ebpf: Ebpf,
    tables: Tables,
    rings: Rings,
    pins: PathBuf,
    /// The interfaces whose packets this program gets, by index.
    attached: BTreeMap<u32, String>,
}

impl Kernel {
    /// Loads the program. Maps that a former daemon has pinned are taken over with all that they hold.
    ///
    /// # Errors
    ///
    /// The kernel refuses the program or a map.
    pub fn open(pins: &Path) -> Result<Self, DataplaneError> {
        pin::make_pins(pins)?;
        let mut ebpf = load(pins, &Sizes::FIRST)?;
        let (tables, rings) = Tables::take(&mut ebpf)?;
        Ok(Self { ebpf, tables, rings, pins: pins.to_owned(), attached: BTreeMap::new() })
    }

    /// The program, for test runs.
    ///
    /// # Errors
    ///
    /// The object has no such program, which is a fault of the build.
    pub fn program(&mut self) -> Result<&mut Xdp, ProgramError> {
        xdp(&mut self.ebpf)
    }

    /// Attaches the program to an interface. Where a former daemon's program is attached, it is replaced atomically.
    ///
    /// # Errors
    ///
    /// There is no such interface, it does not take the program, or another program is there.
    pub fn attach(&mut self, ifindex: u32, name: &str) -> Result<Attached, DataplaneError> {
        let program = xdp_of(&mut self.ebpf, name)?;
        self.tables.lists.publish();
        let attached = links::attach(program, &self.pins, ifindex, name)?;
        self.attached.insert(ifindex, name.to_owned());
        Ok(attached)
    }

    /// Detaches the program from an interface.
    ///
    /// # Errors
    ///
    /// The link's pin could not be removed.
    pub fn detach(&mut self, ifindex: u32) -> Result<(), DataplaneError> {
        self.attached.remove(&ifindex);
        links::detach(&self.pins, ifindex)
    }

    /// The interfaces that a program is attached to, by this daemon or a former one.
    ///
    /// # Errors
    ///
    /// The pins could not be read.
    pub fn attached(&self) -> Result<Vec<Attached>, DataplaneError> {
        links::attached(&self.pins).map_err(|error| pin::error("read", &self.pins, error))
    }

    /// Removes what a Sluice of another layout has left. Links that have not been taken over by then are detached.
    ///
    /// # Errors
    ///
    /// A pin could not be removed.
    pub fn remove_foreign_pins(&self) -> Result<(), DataplaneError> {
        pin::remove_foreign(&self.pins)
            .map_err(|error| pin::error("remove the pins of another layout in", &self.pins, error))
    }

    /// The [`lb_common::Event`]s that the datapath writes; can be taken once.
    pub const fn take_events(&mut self) -> Option<Records> {
        self.rings.events.take()
    }

    /// The [`lb_common::DropSample`]s that the datapath writes; can be taken once.
    pub const fn take_samples(&mut self) -> Option<Records> {
        self.rings.samples.take()
    }

    /// The counters.
    pub const fn counters(&self) -> Counters<'_> {
        Counters { tables: &self.tables }
    }

    /// The flow table.
    pub const fn flows(&self) -> &FlowTable {
        &self.tables.flows
    }

    /// The sessions.
    pub const fn sessions(&self) -> &SessionArray {
        &self.tables.sessions
    }

    /// The second, since the machine started, in which a flow of a service last found no room in the flow table; 0 if
    /// none ever did.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn overflowed_s(&self, service: u32) -> Result<u64, DataplaneError> {
        self.tables.overflows.get(&service, 0).map_err(|source| failed("read", "overflows", source))
    }

    /// What the tables hold.
    ///
    /// # Errors
    ///
    /// A map cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, DataplaneError> {
        let read = |map| move |source| failed("read", map, source);
        let tables = &self.tables;
        let mut snapshot = Snapshot {
            settings: tables.settings.get(&0, 0).map_err(read("settings"))?.0,
            syn: tables.syn.get(&0, 0).map_err(read("syn"))?.0,
            ..Snapshot::default()
        };
        for (key, value) in tables.services.iter() {
            match key.as_server() {
                Some(server) => drop(snapshot.servers.insert(server, value.id)),
                None => drop(snapshot.services.insert(key, value)),
            }
        }
        snapshot.port_blocks = self.port_blocks(&snapshot).map_err(read("port_ranges"))?;
        snapshot.sources = tables.sources.iter().collect::<Result<_, MapError>>().map_err(read("sources"))?;
        for (element, checks) in (0..).zip(tables.sanity.iter()) {
            let checks = checks.map_err(read("sanity"))?;
            if checks != 0 {
                snapshot.sanity.insert(element, checks);
            }
        }
        snapshot.rings = self.rings(&snapshot).map_err(read("rings"))?;
        for (slot, entry) in (0..).zip(tables.backends.iter()) {
            let Plain(value) = entry.map_err(read("backends"))?;
            if value.delivery != 0 {
                snapshot.backends.insert(slot, value);
            }
        }
        for entry in tables.replies.iter() {
            let (Plain(key), Plain(value)) = entry.map_err(read("replies"))?;
            snapshot.replies.insert(key, value);
        }
        for (number, entry) in (0..).zip(tables.node_addresses.iter()) {
            let Plain(value) = entry.map_err(read("node_addresses"))?;
            if value.first_port != 0 {
                snapshot.node_addresses.insert(number, value);
            }
        }
        let rules = snapshot.settings.rules;
        let Plain(block) = tables.rules.get(&rules.bank.into(), 0).map_err(read("rules"))?;
        if snapshot.settings.features & (Features::RULES | Features::LIMITS) != 0 {
            snapshot.rules.insert(rules.bank, block);
        }
        snapshot.lists = Arc::clone(tables.lists.held());
        snapshot.scopes = tables.lists.scopes().clone();
        snapshot.devices = tables.devices.keys().collect::<Result<_, MapError>>().map_err(read("devices"))?;
        Ok(snapshot)
    }

    /// Brings the lists to what they should be: in the tables that there are, or else in larger ones.
    fn put_lists(&mut self, to: &Arc<Lists>) -> Result<(), DataplaneError> {
        let before = Arc::clone(self.tables.lists.held());
        if self.tables.lists.bring_to(to).is_ok() {
            return Ok(());
        }
        let result = self.enlarge(to);
        if result.is_err() && self.tables.lists.bring_to(&before).is_err() {
            tracing::error!("the lists could not be brought back to what they were");
        }
        result
    }

    /// Fills larger tables, while packets are looked up in the present ones, and puts them into effect with another
    /// instance of the program: on each interface from one packet to the next.
    fn enlarge(&mut self, to: &Arc<Lists>) -> Result<(), DataplaneError> {
        let mut sizes = Sizes::of(to);
        let (mut ebpf, mut tables) = loop {
            let mut ebpf = load(&self.pins, &sizes)?;
            let mut tables = self.empty_lists(&mut ebpf, sizes)?;
            if tables.bring_to(to).is_ok() {
                break (ebpf, tables);
            }
            sizes = sizes.larger().ok_or(DataplaneError::Lists)?;
        };
        for (&ifindex, name) in &self.attached {
            if let Err(error) = links::attach(xdp_of(&mut ebpf, name)?, &self.pins, ifindex, name) {
                self.reattach();
                return Err(error);
            }
        }
        if !self.attached.is_empty() {
            tables.publish();
        }
        tracing::debug!(?sizes, "made larger tables for the firewall's lists");
        self.ebpf = ebpf;
        self.tables.lists = tables;
        Ok(())
    }

    /// Tables of the lists of another loaded object, with the counters and scopes of the present ones.
    fn empty_lists(&self, ebpf: &mut Ebpf, sizes: Sizes) -> Result<ListTables<lists::Maps>, DataplaneError> {
        let present = &self.tables.lists;
        let names = present.held().names();
        let mut tables = lists::tables(ebpf, sizes, present.memory().pinned(), present.counted().clone(), names)?;
        tables.set_scopes(present.scopes());
        Ok(tables)
    }

    /// Puts the program behind the links again, after another could not be put behind all of them.
    fn reattach(&mut self) {
        for (&ifindex, name) in &self.attached {
            let result = xdp_of(&mut self.ebpf, name).and_then(|xdp| links::attach(xdp, &self.pins, ifindex, name));
            if let Err(error) = result {
                tracing::error!(%error, "could not put the former program back");
            }
        }
    }

    /// The blocks of port ranges that the snapshot's services refer to.
    fn port_blocks(&self, snapshot: &Snapshot) -> Result<BTreeMap<u16, PortBlock>, MapError> {
        let blocks = snapshot.services.values().filter(|service| service.is_block()).map(|service| service.ring);
        blocks.map(|index| Ok((index, self.tables.port_ranges.get(&index.into(), 0)?.0))).collect()
    }

    /// The rings that the snapshot's services refer to.
    fn rings(&self, snapshot: &Snapshot) -> Result<BTreeMap<u32, Arc<[Row]>>, MapError> {
        snapshot.services_by_id().into_values().map(|service| Ok((service.ring.into(), self.ring(&service)?))).collect()
    }

    fn ring(&self, service: &ServiceValue) -> Result<Arc<[Row]>, MapError> {
        let elements = (1u32 << service.ring_bits) / ROWS_PER_ELEMENT;
        let mut rows = Vec::with_capacity(1 << service.ring_bits);
        let first = u32::from(service.ring);
        for element in first..first + elements {
            let Plain(RingElement(words)) = self.tables.rings.get(&element, 0)?;
            rows.extend(words.map(Row::from_word));
        }
        Ok(rows.into())
    }

    fn put_ring(&mut self, first: u32, rows: &[Row]) -> Result<(), MapError> {
        for (element, rows) in (first..).zip(rows.chunks(ROWS_PER_ELEMENT as usize)) {
            let mut words = [0; ROWS_PER_ELEMENT as usize];
            for (word, row) in words.iter_mut().zip(rows) {
                *word = row.word();
            }
            self.tables.rings.set(element, &Plain(RingElement(words)), 0)?;
        }
        Ok(())
    }
}

/// Loads the program and its maps; those of the lists are new and as large as said.
fn load(pins: &Path, sizes: &Sizes) -> Result<Ebpf, DataplaneError> {
    let refused = |source| DataplaneError::Load { source: Box::new(source), log: None };
    let cpus =
        nr_cpus().map_err(|(what, error)| DataplaneError::Preflight(format!("could not read {what}: {error}")))?;
    let cpus = cpus.get() as u32;
    let mut loader = EbpfLoader::new();
    loader.default_map_pin_directory(pin::directory(pins)).override_global("CPUS", &cpus, true);
    lists::resize(&mut loader, sizes);
    let mut ebpf = loader.load(LB_OBJECT).map_err(refused)?;
    xdp(&mut ebpf).and_then(Xdp::load).map_err(refused_by_verifier)?;
    Ok(ebpf)
}

fn xdp(ebpf: &mut Ebpf) -> Result<&mut Xdp, ProgramError> {
    ebpf.program_mut(LB_PROGRAM).ok_or(ProgramError::NotLoaded)?.try_into()
}

/// The program, to be attached to an interface.
fn xdp_of<'e>(ebpf: &'e mut Ebpf, interface: &str) -> Result<&'e mut Xdp, DataplaneError> {
    xdp(ebpf).map_err(|error| DataplaneError::Attach { interface: interface.to_owned(), reason: error.to_string() })
}

/// Puts the verifier's log, which may have thousands of lines, into a file.
fn refused_by_verifier(error: ProgramError) -> DataplaneError {
    let mut log = None;
    if let ProgramError::LoadError { verifier_log, .. } = &error {
        let path = std::env::temp_dir().join(format!("sluice-verifier-{}.log", std::process::id()));
        log = fs::write(&path, verifier_log.to_string()).is_ok().then_some(path);
    }
    DataplaneError::Load { source: Box::new(error.into()), log }
}

/// Fills the buckets that sources share of a limit, for some services.
fn fill(totals: &mut Array<MapData, u64>, limit: u32, mut services: Range<u32>) -> Result<(), MapError> {
    services.try_for_each(|service| totals.set(limit * MAX_SERVICES + service, &Bucket::EMPTY.word(), 0))
}

impl Dataplane for Kernel {
    fn perform(&mut self, change: &Change) -> Result<(), DataplaneError> {
        let tables = &mut self.tables;
        let (map, result) = match change {
            Change::AddDevice(ifindex) => {
                ("devices", tables.devices.insert(*ifindex, *ifindex, None, 0).map_err(xdp_map))
            }
            Change::RemoveDevice(ifindex) => ("devices", tables.devices.remove(*ifindex)),
            Change::ResetBackendTraffic(slot) => {
                ("backend_traffic", reset(&mut tables.backend_traffic, (*slot).into()))
            }
            Change::ResetService(id) => {
                let filled = (0..MAX_LIMITS as u32).try_for_each(|limit| fill(&mut tables.totals, limit, *id..*id + 1));
                let reset_syn = filled.and_then(|()| reset(&mut tables.syn_traffic, *id));
                ("service_traffic", reset_syn.and_then(|()| reset(&mut tables.service_traffic, *id)))
            }
            Change::PutBackend(slot, value) => ("backends", tables.backends.set((*slot).into(), &Plain(*value), 0)),
            Change::RemoveBackend(slot) => ("backends", tables.backends.set((*slot).into(), &Plain::default(), 0)),
            Change::PutRing(first, rows) => ("rings", self.put_ring(*first, rows)),
            Change::ForgetRing(_) => return Ok(()),
            Change::PutPortBlock(index, block) => {
                ("port_ranges", tables.port_ranges.set((*index).into(), &Plain(**block), 0))
            }
            Change::ForgetPortBlock(_) => return Ok(()),
            Change::AddSource(service, source) => ("sources", tables.sources.add(*service, *source)),
            Change::RemoveSource(service, source) => ("sources", tables.sources.remove(*service, *source)),
            Change::PutService(key, value) => ("services", tables.services.insert(*key, *value)),
            Change::RemoveService(key) => ("services", tables.services.remove(key)),
            Change::PutServer((service, id), slot) => {
                ("services", tables.services.insert(EndpointKey::server(*service, *id), ServiceValue::server(*slot)))
            }
            Change::RemoveServer((service, id)) => {
                ("services", tables.services.remove(&EndpointKey::server(*service, *id)))
            }
            Change::PutSanity(element, checks) => ("sanity", tables.sanity.set(*element, checks, 0)),
            Change::PutReply(key, value) => ("replies", tables.replies.insert(&Plain(*key), &Plain(*value), 0)),
            Change::RemoveReply(key) => ("replies", tables.replies.remove(&Plain(*key))),
            Change::PutNodeAddress(number, value) => {
                ("node_addresses", tables.node_addresses.set(*number, &Plain(*value), 0))
            }
            Change::RemoveNodeAddress(number) => {
                ("node_addresses", tables.node_addresses.set(*number, &Plain::default(), 0))
            }
            Change::ResetRule(rule) => ("rule_hits", reset(&mut tables.rule_hits, *rule)),
            Change::ResetLimit(limit) => ("limit_hits", reset(&mut tables.limit_hits, *limit)),
            Change::FillTotals(limit) => ("totals", fill(&mut tables.totals, *limit, 0..MAX_SERVICES)),
            Change::PutRules(bank, block) => ("rules", tables.rules.set((*bank).into(), &Plain(**block), 0)),
            Change::ForgetRules(_) => return Ok(()),
            Change::PutLists(lists) => return self.put_lists(lists),
            Change::PutScopes(scopes) => {
                tables.lists.set_scopes(scopes);
                return Ok(());
            }
            Change::PutSettings(settings) => ("settings", tables.settings.set(0, &Plain(**settings), 0)),
            Change::PutSynSettings(settings) => ("syn", tables.syn.set(0, &Plain(*settings), 0)),
        };
        result.map_err(|source| failed("write", map, source))
    }
}

/// What a device map's refusal means.
fn xdp_map(error: aya::maps::xdp::XdpMapError) -> MapError {
    match error {
        aya::maps::xdp::XdpMapError::MapError(error) => error,
        aya::maps::xdp::XdpMapError::ChainedProgramNotSupported => {
            MapError::IoError(std::io::Error::other("chained programs are not supported"))
        }
    }
}
