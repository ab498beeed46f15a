//! The kernel as a [`Dataplane`].

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray, PerCpuValues},
    programs::{ProgramError, Xdp},
    util::nr_cpus,
};
use lb_common::{EndpointKey, PortBlock, ROWS_PER_ELEMENT, RingElement, Row, ServiceValue};

use super::{
    Attached, Counters, Dataplane, DataplaneError, FlowTable, LB_OBJECT, LB_PROGRAM, Plain, SessionArray, links, pin,
    tables::{Records, Rings, Tables, failed},
};
use crate::plan::{Change, Snapshot};

/// The loaded program and its maps. Dropping it leaves everything that is pinned as it is.
pub struct Kernel {
    ebpf: Ebpf,
    tables: Tables,
    rings: Rings,
    pins: PathBuf,
}

impl Kernel {
    /// Loads the program. Maps that a former daemon has pinned are taken over with all that they hold.
    ///
    /// # Errors
    ///
    /// The kernel refuses the program or a map.
    pub fn open(pins: &Path) -> Result<Self, DataplaneError> {
        pin::make_pins(pins)?;
        let load = |source| DataplaneError::Load { source: Box::new(source), log: None };
        let cpus =
            nr_cpus().map_err(|(what, error)| DataplaneError::Preflight(format!("could not read {what}: {error}")))?;
        let mut ebpf = EbpfLoader::new()
            .default_map_pin_directory(pin::directory(pins))
            .override_global("CPUS", &(cpus.get() as u32), true)
            .load(LB_OBJECT)
            .map_err(load)?;
        xdp(&mut ebpf).and_then(Xdp::load).map_err(refused_by_verifier)?;
        let (tables, rings) = Tables::take(&mut ebpf)?;
        Ok(Self { ebpf, tables, rings, pins: pins.to_owned() })
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
        let program = xdp(&mut self.ebpf)
            .map_err(|error| DataplaneError::Attach { interface: name.to_owned(), reason: error.to_string() })?;
        links::attach(program, &self.pins, ifindex, name)
    }

    /// Detaches the program from an interface.
    ///
    /// # Errors
    ///
    /// The link's pin could not be removed.
    pub fn detach(&mut self, ifindex: u32) -> Result<(), DataplaneError> {
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
        for (kind, lists) in [(lb_common::ListKind::Allow, &tables.allow), (lb_common::ListKind::Deny, &tables.deny)] {
            let prefixes = lists.prefixes().map_err(read(kind.name()))?;
            snapshot.prefixes.extend(prefixes.into_iter().map(|prefix| (kind, prefix)));
        }
        snapshot.devices = tables.devices.keys().collect::<Result<_, MapError>>().map_err(read("devices"))?;
        Ok(snapshot)
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

fn xdp(ebpf: &mut Ebpf) -> Result<&mut Xdp, ProgramError> {
    ebpf.program_mut(LB_PROGRAM).ok_or(ProgramError::NotLoaded)?.try_into()
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

fn reset<T: Default + Copy>(map: &mut PerCpuArray<MapData, Plain<T>>, index: u32) -> Result<(), MapError>
where
    Plain<T>: aya::Pod + Default,
{
    let cpus = nr_cpus().map_err(|(_, error)| MapError::IoError(error))?;
    let zeros = PerCpuValues::try_from(vec![Plain(T::default()); cpus.get() as usize]).map_err(MapError::IoError)?;
    map.set(index, zeros, 0)
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
            Change::ResetServiceTraffic(id) => {
                let reset_syn = reset(&mut tables.syn_traffic, *id);
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
            Change::PutReply(key, value) => ("replies", tables.replies.insert(&Plain(*key), &Plain(*value), 0)),
            Change::RemoveReply(key) => ("replies", tables.replies.remove(&Plain(*key))),
            Change::PutNodeAddress(number, value) => {
                ("node_addresses", tables.node_addresses.set(*number, &Plain(*value), 0))
            }
            Change::RemoveNodeAddress(number) => {
                ("node_addresses", tables.node_addresses.set(*number, &Plain::default(), 0))
            }
            Change::AddPrefix(list, prefix) => (list.name(), tables.list(*list).add(*prefix)),
            Change::RemovePrefix(list, prefix) => (list.name(), tables.list(*list).remove(*prefix)),
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
