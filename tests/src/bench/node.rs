//! The load balancer with a case's tables, made the way the daemon makes them: model, plan, changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
};

use anyhow::Result;
use aya::programs::ProgramFd;
use lb_common::{Features, Flow, HashKey, Mac, Row, RowState};
use lb_userspace::{
    dataplane::{self, Kernel},
    lists::Lists,
    model::{Model, Moment},
    plan::{Guard, Health, Inputs, Patience, Planner, Snapshot},
    routes::{NextHop, NextHops},
};

use super::sandbox::{self, INGRESS, Uplink};

/// A loaded program and what its tables hold. Dropping it removes its pins.
pub struct Node {
    kernel: Kernel,
    pins: PathBuf,
    /// What the tables hold.
    pub snapshot: Snapshot,
}

impl Node {
    /// Loads the program with the tables that a model means.
    ///
    /// # Errors
    ///
    /// The kernel refuses the program, or the tables are too small.
    pub fn new(name: &str, model: &Model, uplink: Uplink) -> Result<Self> {
        let pins = sandbox::pins(name);
        dataplane::preflight(&pins)?;
        let mut node = Self { kernel: Kernel::open(&pins)?, pins, snapshot: Snapshot::default() };
        let inputs = Inputs {
            model,
            health: &|_, _| Health::Up,
            lists: &Lists::of(&model.firewall)?,
            next_hops: &next_hops(model),
            hash_key: HashKey::expand([1, 2]),
            devices: &BTreeSet::from([INGRESS, uplink.ifindex]),
            macs: &[Mac::new([2, 0, 0, 0, 0, 2])],
            interfaces: &BTreeMap::new(),
            ephemeral: lb_userspace::plan::EPHEMERAL,
            patience: Patience::default(),
            guard: &Guard { keys: [[1, 2], [3, 4]], epoch: 1, ..Guard::default() },
            census: None,
            now_s: 0,
            now: Moment::from_seconds(1_800_000_000),
        };
        let desired = Planner::default().desired(inputs, &node.snapshot)?.snapshot;
        dataplane::apply(&mut node.kernel, &node.snapshot, &desired)?;
        node.snapshot = desired;
        Ok(node)
    }

    /// Puts all rows into a state. A moving row's default is another backend than its current one, which it keeps.
    ///
    /// # Errors
    ///
    /// The kernel refuses the rows.
    pub fn set_rows(&mut self, state: RowState) -> Result<()> {
        let slots: Vec<u16> = self.snapshot.backends.keys().copied().collect();
        let other = |slot: u16| slots[slots.partition_point(|other| *other <= slot) % slots.len()];
        let unsettled = |row: &Row| match state {
            RowState::Moving => Row::new(row.current(), other(row.current()), state),
            RowState::Lookup | RowState::Settled => Row::new(row.current(), row.current(), state),
        };
        let mut wanted = self.snapshot.clone();
        for rows in wanted.rings.values_mut() {
            *rows = rows.iter().map(unsettled).collect::<Arc<[Row]>>();
        }
        dataplane::apply(&mut self.kernel, &self.snapshot, &wanted)?;
        self.snapshot = wanted;
        Ok(())
    }

    /// Has drops recorded as if somebody looked at them, with the budget that each of two CPUs has.
    ///
    /// # Errors
    ///
    /// The kernel refuses the settings.
    pub fn look_at_drops(&mut self) -> Result<()> {
        let mut wanted = self.snapshot.clone();
        wanted.settings.features |= Features::SAMPLE;
        (wanted.settings.sample_until_ns, wanted.settings.samples_per_interval) = (u64::MAX, 67);
        self.hold(wanted)
    }

    /// Brings the tables to what they should hold, whatever it takes.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub fn hold(&mut self, wanted: Snapshot) -> Result<()> {
        dataplane::apply(&mut self.kernel, &self.snapshot, &wanted)?;
        self.snapshot = wanted;
        Ok(())
    }

    /// Attaches the program to the uplink: from then on changes are made as they are while packets come in.
    ///
    /// # Errors
    ///
    /// The interface refuses it.
    pub fn attach(&mut self, uplink: Uplink) -> Result<()> {
        self.kernel.attach(uplink.ifindex, "uplink")?;
        Ok(())
    }

    /// What a list has matched, by its number.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn list_packets(&self, number: u32) -> Result<u64> {
        Ok(self.kernel.counters().list(number)?.packets)
    }

    /// Whether the kernel's flow table knows a flow.
    pub fn knows(&self, flow: &Flow) -> bool {
        let hash = flow.hash(&self.snapshot.settings.hash_key);
        self.kernel.flows().entries().any(|occupied| occupied.entry.is_of(hash))
    }

    /// The program.
    ///
    /// # Errors
    ///
    /// No file descriptor is left.
    pub fn program(&mut self) -> Result<ProgramFd> {
        Ok(self.kernel.program()?.fd()?.try_clone()?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The sandbox would take them away too, at the end; the next case wants the name before.
        let _ = dataplane::detach_all(&self.pins);
    }
}

/// Every backend is a neighbour on the interface that packets come in by.
fn next_hops(model: &Model) -> NextHops {
    let backends = model.services.iter().flat_map(|service| &service.backends);
    backends.map(|backend| (backend.address, next_hop(backend.address))).collect()
}

fn next_hop(address: IpAddr) -> NextHop {
    NextHop {
        ifindex: INGRESS,
        vlan: None,
        interface: "lo".to_owned(),
        mac: Mac::new([2, 0, 0, 0, 0, 3]),
        source_mac: Mac::new([2, 0, 0, 0, 0, 2]),
        source: source(address),
        mtu: 1500,
        is_local: false,
    }
}

/// The node's address towards a backend.
pub fn source(backend: IpAddr) -> IpAddr {
    match backend {
        IpAddr::V4(_) => [10, 1, 0, 254].into(),
        IpAddr::V6(_) => [0xfd00, 0, 0, 1, 0, 0, 0, 0xfffe].into(),
    }
}
