//! Runs cases through the loaded program, by `BPF_PROG_TEST_RUN`.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};
use lb_common::{Address, DropReason, DropSample, Event, Hits, ListKind, RowState, Traffic};
use lb_userspace::{
    dataplane::{self, Kernel, Records},
    plan::Snapshot,
};
use zerocopy::FromBytes;

use super::{Case, Observation, expect::Action, network, poison::Poison};
use crate::{tables::Counts, world::World};

/// The loaded program and what its tables hold.
pub struct Runner {
    kernel: Kernel,
    poison: Poison,
    events: Records,
    samples: Records,
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
        let samples = kernel.take_samples().context("the samples were already taken")?;
        let poison = Poison::around(kernel.program()?)?;
        run(&mut Runner { kernel, poison, events, samples, held: Snapshot::default(), pins })
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
        let before = self.counts(world)?;
        let (action, frame) = self.poison.run(&case.frame, case.first_bytes(), case.ingress)?;
        let mut counts = since(&before, &self.counts(world)?);
        counts.wanted = self.wanted()?;
        counts.samples = self.samples()?;
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

    /// Lets the program forget the flows of former runs: each run begins with an empty table, as on the host.
    fn forget_flows(&self) {
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

    /// The drops that the program has recorded since the last time, without the time, which a case does not know.
    fn samples(&mut self) -> Result<Vec<DropSample>> {
        let mut samples = Vec::new();
        while let Some(record) = self.samples.next() {
            let sample = DropSample::read_from_bytes(&record).ok().context("a record of another size")?;
            ensure!(sample.time_ns > 0, "a record without a time");
            samples.push(DropSample { time_ns: 0, ..sample });
        }
        Ok(samples)
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
        drops: growth(&before.drops, &after.drops, |before, after| after - before),
        wanted: Vec::new(),
        samples: Vec::new(),
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
