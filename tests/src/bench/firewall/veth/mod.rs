//! `bench firewall --veth`: a list of a million prefixes where packets arrive.
//!
//! Problem: nanoseconds in a test run leave out what receiving costs, and nftables cannot be run that way. Mechanism: live frames
//! with random sources come over veth to a node that drops all of them, listed or not: Sluice, an XDP program with the kernel's
//! trie, or nftables' interval set at the interface's ingress. A thread of the kernel receives them, and its run time over the
//! packets that it saw is what one costs. Beside them, XDP programs that only drop, without and with a look at the source, and an
//! nftables chain that only drops. All take turns in rounds. Trade-off: what is on no list Sluice drops further on, because it is
//! for a service without a backend, and so pays for the look-up of a service, too.

mod barrier;
mod line;

use std::time::Duration;

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets};
use ipnet::IpNet;
use lb_userspace::lists::Prefixes;
use serde::Serialize;

use self::{
    barrier::{BARRIERS, Barrier},
    line::{Crowd, Line},
};
use super::{SOURCES, prefixes::Family};
use crate::bench::report::Statistic;

/// How long packets are sent to one barrier in a round.
const DURATION: Duration = Duration::from_millis(300);

/// The figures of one run.
#[derive(Debug, Serialize)]
pub struct VethReport {
    /// Rounds of each case.
    pub rounds: usize,
    /// The list's prefixes, none of which covers another: nftables refuses those.
    pub entries: usize,
    /// What drops the packets.
    pub rows: Vec<VethRow>,
}

/// What a packet costs that something drops, in nanoseconds of the thread that receives.
#[derive(Debug, Serialize)]
pub struct VethRow {
    /// What drops it.
    pub barrier: &'static str,
    /// From a source that is on no list.
    pub miss_ns: Statistic,
    /// From one that is.
    pub hit_ns: Statistic,
}

/// Measures lists of so many prefixes.
///
/// # Errors
///
/// The kernel refuses something, there is no nftables, or a source was listed that should not be, or the other way round.
pub fn over_veth(count: u32, rounds: usize) -> Result<VethReport> {
    let nets = apart(&Family::V4.prefixes(0, count));
    let mut crowd = Crowd::new(SOURCES)?;
    let mut lines = Vec::new();
    for barrier in BARRIERS {
        lines.push(Line::new(barrier, &crowd, &nets).with_context(|| barrier.name())?);
    }
    let mut rows: Vec<VethRow> = lines.iter().map(|line| VethRow::new(line.barrier())).collect();
    for (is_listed, sources) in [(false, Family::V4.misses(&nets, SOURCES)), (true, Family::V4.hits(&nets, SOURCES))] {
        crowd.set_sources(&sources)?;
        let mut ns = vec![Vec::new(); lines.len()];
        for _ in 0..rounds {
            for (line, ns) in lines.iter_mut().zip(&mut ns) {
                ns.push(line.send(&mut crowd, DURATION).with_context(|| line.barrier().name())?);
            }
        }
        for ((line, ns), row) in lines.iter().zip(&ns).zip(&mut rows) {
            line.check(is_listed).with_context(|| line.barrier().name())?;
            *(if is_listed { &mut row.hit_ns } else { &mut row.miss_ns }) = Statistic::of(ns);
        }
    }
    Ok(VethReport { rounds, entries: nets.len(), rows })
}

/// The prefixes that no other covers.
fn apart(nets: &Prefixes) -> Prefixes {
    let mut around: Option<IpNet> = None;
    let mut is_apart = |net: &IpNet| {
        let is_inside = around.is_some_and(|around| around.contains(net));
        around = if is_inside { around } else { Some(*net) };
        !is_inside
    };
    nets.iter().filter(|net| is_apart(net)).collect()
}

impl VethRow {
    fn new(barrier: Barrier) -> Self {
        Self { barrier: barrier.name(), miss_ns: Statistic::of(&[]), hit_ns: Statistic::of(&[]) }
    }
}

impl VethReport {
    /// What the columns mean.
    pub const NOTES: &str = "\
ns: run time of the thread that receives, for a packet that is dropped, minimum / median. drop and chain look nothing up, read looks
at the source, which the sender's processor has just written. What is on no list Sluice drops behind the look-up of
a service, which the others do not have.";

    /// The figures as a table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["dropped by", "miss ns", "hit ns"]);
        for row in &self.rows {
            let pair = |ns: Statistic| format!("{:.0} / {:.0}", ns.min, ns.median);
            table.add_row([row.barrier.to_owned(), pair(row.miss_ns), pair(row.hit_ns)]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
