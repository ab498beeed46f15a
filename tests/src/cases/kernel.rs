//! Runs cases through the loaded program, by `BPF_PROG_TEST_RUN`.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use aya::maps::{Array, Map, MapData, PerCpuArray, PerCpuValues};
use aya::util::nr_cpus;
use lb_common::{
    DropReason, DropSample, Event, EventKind, FLOW_WAYS, FRAGMENT_SETS, Hits, LAYOUT_VERSION, LimitHits,
    MAX_NODE_ADDRESSES, RowState, ServiceFlags, Session, SessionId, SessionState, SynEvent, Traffic,
};
use lb_ebpf::{frame::MemoryFrame, parse};
use lb_userspace::{
    dataplane::{self, Kernel, Plain, Records},
    plan::Snapshot,
};
use zerocopy::FromBytes;

use super::{Case, Observation, expect::Action, network, poison::Poison, sockets, syn_memory::SynMemories};
use crate::{
    tables::Counts,
    world::{NODE_PORT, World},
};

/// The loaded program and what its tables hold.
pub struct Runner {
    kernel: Kernel,
    poison: Poison,
    events: Records,
    samples: Records,
    sessions: Array<MapData, Plain<Session>>,
    complaints: PerCpuArray<MapData, u64>,
    fragments: Array<MapData, [u64; FLOW_WAYS]>,
    /// Whether a fragment has been seen that the program may remember.
    has_fragments: bool,
    syn: SynMemories,
    held: Snapshot,
    pins: PathBuf,
    _sockets: Vec<OwnedFd>,
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
        let complaints = map(&pins, "complaints")?.try_into()?;
        let fragments = map(&pins, "fragments")?.try_into()?;
        let sessions = map(&pins, "sessions")?.try_into()?;
        let syn = SynMemories::open(&pins)?;
        let (held, has_fragments) = (Snapshot::default(), true);
        run(&mut Runner {
            kernel,
            poison,
            events,
            samples,
            complaints,
            fragments,
            has_fragments,
            sessions,
            syn,
            held,
            pins,
            _sockets: sockets::open_all()?,
        })
    })?
}

impl Runner {
    /// Brings the tables to a world and runs a case.
    ///
    /// # Errors
    ///
    /// The kernel refuses a change or the run.
    pub fn run(&mut self, case: &Case, world: &World) -> Result<Observation> {
        self.run_before(case)?;
        self.hold(&world.snapshot)?;
        self.let_complain(!case.is_exhausted)?;
        let before = self.counts(world)?;
        let (action, frame) = self.poison.run(&case.frame, case.first_bytes(), case.ingress)?;
        let mut counts = since(&before, &self.counts(world)?);
        self.take_events(&mut counts)?;
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

    fn hold(&mut self, snapshot: &Snapshot) -> Result<()> {
        dataplane::apply(&mut self.kernel, &self.held, snapshot)?;
        self.held = snapshot.clone();
        Ok(())
    }

    /// Forgets the flows, SYNs, fragments and sessions of former cases, and runs the packets that come before this one's.
    fn run_before(&mut self, case: &Case) -> Result<()> {
        self.forget_flows();
        self.forget_syns();
        self.forget_fragments(case)?;
        self.change_sessions(|_| SessionState::EMPTY)?;
        if case.before.is_empty() {
            return Ok(());
        }
        self.hold(&case.world_before().snapshot)?;
        for before in &case.before {
            let alone = case.with_frame(before.frame.clone());
            self.poison.run(&alone.frame, alone.first_bytes(), before.ingress)?;
            self.change_sessions(|state| earlier(state, before.later.as_secs()))?;
            self.syn.age(before.later);
        }
        self.take_events(&mut Counts::default())
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

    /// Changes the state of every session of the world's only port.
    fn change_sessions(&mut self, change: impl Fn(SessionState) -> SessionState) -> Result<()> {
        for number in 0..MAX_NODE_ADDRESSES {
            for is_tcp in [true, false] {
                let index = SessionId::new(number, is_tcp, NODE_PORT).number();
                let Plain(mut session) = self.sessions.get(&index, 0)?;
                let state = SessionState::from_word(session.state);
                if change(state) != state {
                    session.state = change(state).word();
                    self.sessions.set(index, &Plain(session), 0)?;
                }
            }
        }
        Ok(())
    }

    /// Forgets the sources and SYNs of former cases.
    fn forget_syns(&mut self) {
        const REMEMBERS: u16 = ServiceFlags::GUARDED | ServiceFlags::WATCHED;
        if self.held.services_by_id().values().any(|service| service.flags & REMEMBERS != 0) {
            self.syn.forget();
        }
    }

    /// Forgets the packets whose first fragments have been seen.
    fn forget_fragments(&mut self, case: &Case) -> Result<()> {
        // There are thousands of sets, and few cases fill any.
        if self.has_fragments {
            for set in 0..FRAGMENT_SETS {
                self.fragments.set(set, &[0; FLOW_WAYS], 0)?;
            }
        }
        let frames = case.before.iter().map(|before| &before.frame).chain([&case.frame]);
        self.has_fragments = frames.into_iter().any(|frame| is_fragment(frame));
        Ok(())
    }

    /// Lets the datapath complain of packets at once, or not for a long time.
    fn let_complain(&mut self, may: bool) -> Result<()> {
        let cpus = nr_cpus().map_err(|(_, error)| error)?;
        let due_ns = if may { 0 } else { u64::MAX };
        self.complaints.set(0, PerCpuValues::try_from(vec![due_ns; cpus.get() as usize])?, 0)?;
        Ok(())
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
        for (&number, list) in &world.snapshot.lists.0 {
            counts.lists.insert(number, counters.list(number)?);
            for (net, _) in list.own.iter() {
                let hits = counters.list_entry(number, net)?.context("an entry that does not count")?;
                counts.list_entries.insert((number, net), hits);
            }
        }
        for &rule in world.rules.values() {
            counts.rules.insert(rule, counters.rule(rule)?);
        }
        for &limit in world.limits.values() {
            counts.limits.insert(limit, counters.limit(limit)?);
        }
        for &reason in DropReason::ALL {
            counts.drops.insert(reason, counters.drops(reason)?);
        }
        Ok(counts)
    }

    /// What the program has told since the last time.
    fn take_events(&mut self, counts: &mut Counts) -> Result<()> {
        while let Some(record) = self.events.next() {
            let event = Event::read_from_bytes(&record).ok().context("a record of another size")?;
            let told = (event.ifindex, event.address);
            if event.kind == EventKind::LimitExceeded as u32 {
                counts.excesses.push(told);
            } else {
                counts.wanted.push(told);
            }
        }
        Ok(())
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

/// A state as it would be if everything had happened so many seconds earlier. The 28 bits from bit 16 on are its last second.
const fn earlier(state: SessionState, seconds: u64) -> SessionState {
    const MASK: u64 = ((1 << 28) - 1) << 16;
    let word = state.word();
    SessionState::from_word(word & !MASK | word.wrapping_sub(seconds << 16) & MASK)
}

/// A map, by its pin.
fn map(pins: &Path, name: &str) -> Result<Map> {
    let pin = pins.join(format!("v{LAYOUT_VERSION}")).join(name);
    let data = MapData::from_pin(&pin).with_context(|| pin.display().to_string())?;
    Ok(Map::from_map_data(data)?)
}

fn is_fragment(frame: &[u8]) -> bool {
    let mut place = None;
    parse::packet(&MemoryFrame::new(&mut frame.to_vec(), 0, 0), &mut place).is_some_and(|packet| packet.is_fragment())
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
    let limited = |before: LimitHits, after: LimitHits| LimitHits {
        passed: after.passed - before.passed,
        limited: after.limited - before.limited,
        limited_bytes: after.limited_bytes - before.limited_bytes,
    };
    Counts {
        services: growth(&before.services, &after.services, traffic),
        backends: growth(&before.backends, &after.backends, traffic),
        lists: growth(&before.lists, &after.lists, hits),
        list_entries: growth(&before.list_entries, &after.list_entries, hits),
        rules: growth(&before.rules, &after.rules, hits),
        limits: growth(&before.limits, &after.limits, limited),
        excesses: Vec::new(),
        syn: growth(&before.syn, &after.syn, |before, after| after - before),
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
