//! Runs cases through the loaded program, by `BPF_PROG_TEST_RUN`.

use std::{collections::BTreeMap, path::PathBuf, thread};

use anyhow::{Context, Result, bail};
use aya::maps::{MapData, RingBuf};
use lb_common::{Address, DropReason, Event, Hits, ListKind, RowState, ServiceFlags, SynEvent, Traffic};
use lb_userspace::{
    dataplane::{self, Kernel},
    plan::Snapshot,
};
use zerocopy::FromBytes;

use super::{Case, Observation, expect::Action, network, poison::Poison, syn_memory::SynMemories};
use crate::{tables::Counts, world::World};

/// The loaded program and what its tables hold.
pub struct Runner {
    kernel: Kernel,
    poison: Poison,
    events: RingBuf<MapData>,
    syn: SynMemories,
    held: Snapshot,
    pins: PathBuf,
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Err(error) = dataplane::detach_all(&self.pins) {
            eprintln!("could not remove the pins below {}: {error}", self.pins.display());
        }
    }
}

/// Loads the program in a network of the world's and hands it to a closure; nothing is left behind.
///
/// # Errors
///
/// The kernel refuses something, or the closure fails. Root is needed.
pub fn with_runner<T: Send>(run: impl FnOnce(&mut Runner) -> Result<T> + Send) -> Result<T> {
    network::make()?.enter(|| {
        let pins = PathBuf::from(format!("/sys/fs/bpf/sluice-cases-{}", std::process::id()));
        dataplane::preflight(&pins)?;
        let mut kernel = Kernel::open(&pins)?;
        let events = kernel.take_events().context("the events were already taken")?;
        let poison = Poison::around(kernel.program()?)?;
        let syn = SynMemories::open(&pins)?;
        run(&mut Runner { kernel, poison, events, syn, held: Snapshot::default(), pins })
    })?
}

impl Runner {
    /// Brings the tables to a world and runs a case.
    ///
    /// # Errors
    ///
    /// The kernel refuses a change or the run.
    pub fn run(&mut self, case: &Case, world: &World) -> Result<Observation> {
        dataplane::apply(&mut self.kernel, &self.held, &world.snapshot)?;
        self.held = world.snapshot.clone();
        self.forget_flows();
        for (earlier, passed) in &case.before {
            self.poison.run(earlier, earlier.len(), case.ingress)?;
            thread::sleep(*passed);
        }
        self.wanted()?;
        let before = self.counts(world)?;
        let (action, frame) = self.poison.run(&case.frame, case.first_bytes(), case.ingress)?;
        let mut counts = since(&before, &self.counts(world)?);
        counts.wanted = self.wanted()?;
        let verdict = match action {
            1 => Action::Drop,
            2 => Action::Pass,
            3 => Action::Transmit,
            4 => Action::Redirect(None),
            other => bail!("the program returned {other}"),
        };
        let frame = if verdict == Action::Drop { Vec::new() } else { frame };
        Ok(Observation { verdict, frame, counts })
    }

    /// Lets the program forget the flows and sources of former runs: each run begins with empty tables, as on the host.
    fn forget_flows(&self) {
        const REMEMBERS: u16 = ServiceFlags::GUARDED | ServiceFlags::WATCHED;
        if self.held.services_by_id().values().any(|service| service.flags & REMEMBERS != 0) {
            self.syn.forget();
        }
        let is_asked = self.held.rings.values().any(|rows| rows.iter().any(|row| row.state() != RowState::Settled));
        if is_asked {
            for occupied in self.kernel.flows().entries() {
                // Nobody else writes the table.
                let _ = occupied.remove();
            }
        }
    }

    /// All counters, also those that are zero.
    fn counts(&self, world: &World) -> Result<Counts> {
        let counters = self.kernel.counters();
        let mut counts = Counts::default();
        for &id in world.service_ids.values() {
            counts.services.insert(id, counters.service(id)?);
            let syn = counters.syn(id)?;
            counts.syn.extend(SynEvent::ALL.map(|event| ((id, event), syn.of(event))));
        }
        for &slot in world.slots.values() {
            counts.backends.insert(slot, counters.backend(slot)?);
        }
        for kind in ListKind::ALL {
            counts.lists.insert(kind, counters.list(kind)?);
        }
        for &reason in DropReason::ALL {
            counts.drops.insert(reason, counters.drops(reason)?);
        }
        Ok(counts)
    }

    /// The neighbours that the program has asked for since the last time.
    fn wanted(&mut self) -> Result<Vec<(u32, Address)>> {
        let mut wanted = Vec::new();
        while let Some(record) = self.events.next() {
            let event = Event::read_from_bytes(&record).ok().context("a record of another size")?;
            wanted.push((event.ifindex, event.address));
        }
        Ok(wanted)
    }
}

/// What was counted between two readings.
fn since(before: &Counts, after: &Counts) -> Counts {
    let traffic = |before: Traffic, after: Traffic| Traffic {
        packets: after.packets - before.packets,
        bytes: after.bytes - before.bytes,
        flows: after.flows - before.flows,
    };
    let hits =
        |before: Hits, after: Hits| Hits { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
    Counts {
        services: growth(&before.services, &after.services, traffic),
        backends: growth(&before.backends, &after.backends, traffic),
        lists: growth(&before.lists, &after.lists, hits),
        syn: growth(&before.syn, &after.syn, |before, after| after - before),
        drops: growth(&before.drops, &after.drops, |before, after| after - before),
        wanted: Vec::new(),
    }
}

/// The differences that are not zero.
fn growth<K: Ord + Copy, V: Copy + Default + PartialEq>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    difference: impl Fn(V, V) -> V,
) -> BTreeMap<K, V> {
    let grown = after.iter().map(|(&key, &value)| (key, difference(before[&key], value)));
    grown.filter(|(_, value)| *value != V::default()).collect()
}
