//! The figures, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::super::report::Statistic;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Rounds of each case.
    pub rounds: usize,
    /// Packets in each half of a round.
    pub repeat: u32,
    /// A structure, family and size each.
    pub rows: Vec<Row>,
}

/// The figures of one list.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `sluice`, or `trie`: the kernel's.
    pub structure: &'static str,
    /// The family.
    pub family: &'static str,
    /// Its prefixes.
    pub entries: u32,
    /// Nanoseconds that it adds to a packet from a source that is not on it.
    pub miss_ns: Statistic,
    /// The same of one that is.
    pub hit_ns: Statistic,
    /// Milliseconds from prefixes in order to a list in force, the first time: with larger tables and
    /// another program, if those that there are do not suffice.
    pub load_ms: f64,
    /// The same where the tables are large enough.
    pub refill_ms: Option<f64>,
    /// Milliseconds to replace a tenth of it.
    pub change_ms: Option<f64>,
    /// What it takes, in the kernel and in the daemon.
    pub bytes: usize,
}

impl Report {
    /// What the columns mean.
    pub const NOTES: &str = "\
ns: added to a packet by the list, minimum / median; load: the first time, with another program if the tables are too small; refill:
into tables that are large enough; change: a tenth of the prefixes; memory: maps and the daemon's copy. Random sources, a million
of them.";

    /// The figures as a table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "structure",
            "family",
            "entries",
            "miss ns",
            "hit ns",
            "load ms",
            "refill ms",
            "change ms",
            "MB",
        ]);
        for row in &self.rows {
            let ms = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
            table.add_row([
                row.structure.to_owned(),
                row.family.to_owned(),
                row.entries.to_string(),
                pair(row.miss_ns),
                pair(row.hit_ns),
                ms(Some(row.load_ms)),
                ms(row.refill_ms),
                ms(row.change_ms),
                format!("{:.1}", row.bytes as f64 / 1e6),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

fn pair(statistic: Statistic) -> String {
    format!("{:.0} / {:.0}", statistic.min, statistic.median)
}
