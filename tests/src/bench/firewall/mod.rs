//! `bench firewall`: what lists add to a packet, and what it takes to load and change them.
//!
//! Problem: one hot address shows nothing of a list of millions. Mechanism: a wrapper program gives each packet the next of a
//! million random sources, which are read in order and so cost hardly anything (`prefixes`); the same packets through the
//! same program without a list are the floor, measured in turn. A trie of the kernel's with the same prefixes is measured the
//! same way, against the same program without the look-up (`trie`). Trade-off: what is for nobody and passes is compared
//! with what is dropped, so that a hit seems cheaper by what a passing packet still asks for.

mod memory;
mod prefixes;
mod report;
mod trie;
mod veth;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use aya::programs::ProgramFd;
use lb_common::{Features, ListKind};
use lb_userspace::{
    lists::{List, Lists, Prefixes, Scopes, Sizes},
    plan::Snapshot,
};

use self::{prefixes::Family, trie::Trie};
pub use self::{
    report::{Report, Row},
    veth::{VethReport, VethRow, over_veth},
};
use super::{
    case::{CLIENT, nobody},
    harness::Harness,
    heap::Heap,
    host::action_name,
    measure::{Effort, alternate},
    node::Node,
    packet::Walk,
    report::Statistic,
    sandbox::{self, Uplink},
};

/// How many sources there are: the lines of ten million entries that they lead to are more than a cache holds.
const SOURCES: u32 = 1 << 20;

/// The share of a list that a change replaces.
const CHANGED: u32 = 10;

/// Measures lists of some family and size; the kernel's trie beside them, up to `trie` prefixes.
///
/// # Errors
///
/// The kernel refuses something, or a packet is not dropped or passed as it should be.
pub fn run(cases: impl Iterator<Item = (bool, u32)>, trie: u32, effort: Effort, heap: &Heap) -> Result<Report> {
    let uplink = sandbox::make_uplink(&CLIENT.to_string())?;
    let mut rows = Vec::new();
    for (is_v4, count) in cases {
        let family = Family::of(is_v4);
        let nets = Arc::new(family.prefixes(0, count));
        let sources = [family.misses(&nets, SOURCES), family.hits(&nets, SOURCES)];
        rows.push(list(family, count, &nets, &sources, uplink, effort, heap)?);
        if count <= trie {
            rows.push(beside(family, &nets, &sources, effort)?);
        }
    }
    Ok(Report { rounds: effort.rounds, repeat: effort.repeat, rows })
}

/// Sources that are on no list, and sources that are on it.
type Sources = [Vec<[u32; 4]>; 2];

/// The names of the XDP actions that become of them.
const VERDICTS: [&str; 2] = ["PASS", "DROP"];

fn list(
    family: Family,
    count: u32,
    nets: &Arc<Prefixes>,
    sources: &Sources,
    uplink: Uplink,
    effort: Effort,
    heap: &Heap,
) -> Result<Row> {
    let model = nobody(family == Family::V4).model();
    let mut unlisted = Node::new("unlisted", &model, uplink)?;
    let mut node = Node::new("listed", &model, uplink)?;
    node.attach(uplink)?;
    let (heap_before, maps_before) = (heap.used(), memory::map_bytes()?);
    let empty = node.snapshot.clone();
    let full = with_list(&empty, Arc::clone(nets));
    let load_ms = timed(|| node.hold(full.clone()))?;
    let bytes = memory::map_bytes()?.saturating_sub(maps_before) + heap.used().saturating_sub(heap_before);
    // The tables stay as large as they are.
    node.hold(with_list(&empty, Arc::default()))?;
    let refill_ms = timed(|| node.hold(full.clone()))?;

    let mut harness = Harness::from_sources(SOURCES, 1)?;
    let floor = unlisted.program()?;
    let number = ListKind::Deny.numbers().start;
    let mut net_ns = [Statistic { min: f64::NAN, median: f64::NAN }; 2];
    for ((sources, net_ns), verdict) in sources.iter().zip(&mut net_ns).zip(VERDICTS) {
        let before = node.list_packets(number)?;
        *net_ns = measure(&mut harness, family, sources, &node.program()?, &floor, verdict, effort)?;
        let counted = node.list_packets(number)? - before;
        ensure!((counted > 0) == (verdict == VERDICTS[1]), "{counted} packets counted where all should {verdict}");
    }

    let changed = Arc::new(family.prefixes(1, count));
    let wanted = with_list(&empty, changed);
    let change_ms = timed(|| node.hold(wanted.clone()))?;
    // What a node has without any list counts, too.
    let bytes = bytes + Sizes::FIRST.bytes() + nets.len() * family.bytes();
    let [miss_ns, hit_ns] = net_ns;
    Ok(Row {
        structure: "sluice",
        family: family.name(),
        entries: count,
        miss_ns,
        hit_ns,
        load_ms,
        refill_ms: Some(refill_ms),
        change_ms: Some(change_ms),
        bytes,
    })
}

/// The kernel's trie with the same prefixes.
fn beside(family: Family, nets: &Prefixes, sources: &Sources, effort: Effort) -> Result<Row> {
    let maps_before = memory::map_bytes()?;
    let mut harness = Harness::from_sources(SOURCES, nets.len() as u32)?;
    let (subject, floor) = (harness.other("sluice_trie")?, harness.other("sluice_trie_floor")?);
    let mut trie = Trie::open(harness.map("trie")?)?;
    let load_ms = timed(|| trie.fill(nets))?;
    let bytes = memory::map_bytes()?.saturating_sub(maps_before + SOURCES as usize * size_of::<[u32; 4]>());
    let [misses, hits] = sources;
    let mut measure = |sources, verdict| measure(&mut harness, family, sources, &subject, &floor, verdict, effort);
    Ok(Row {
        structure: "trie",
        family: family.name(),
        entries: nets.len() as u32,
        miss_ns: measure(misses, VERDICTS[0])?,
        hit_ns: measure(hits, VERDICTS[1])?,
        load_ms,
        refill_ms: None,
        change_ms: None,
        bytes,
    })
}

/// What packets from sources cost more in one program than in another; all of them must meet the same verdict.
fn measure(
    harness: &mut Harness,
    family: Family,
    sources: &[[u32; 4]],
    subject: &ProgramFd,
    floor: &ProgramFd,
    verdict: &str,
    effort: Effort,
) -> Result<Statistic> {
    harness.set_sources(sources)?;
    let frame = nobody(family == Family::V4).template.build()?;
    let samples = alternate(harness, Walk::default().wrap(&frame)?, &frame, subject, floor, effort)?;
    let action = action_name(samples.last.outcome.action);
    ensure!(action == verdict, "the last packet's verdict is {action}, not {verdict}");
    let [_, _, net_ns] = samples.statistics();
    Ok(net_ns)
}

/// The tables with a deny list.
fn with_list(tables: &Snapshot, nets: Arc<Prefixes>) -> Snapshot {
    let number = ListKind::Deny.numbers().start;
    let list = List { name: "deny".to_owned(), bulk: nets, ..List::default() };
    let mut tables = tables.clone();
    tables.lists = Arc::new(Lists(BTreeMap::from([(number, list)])));
    tables.scopes = Scopes { all: 1 << number, ..Scopes::default() };
    tables.settings.features |= Features::LISTS;
    tables
}

fn timed(run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
