//! The figures, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{algorithm::Algorithm, quality::Quality};
use crate::bench::report::Statistic;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Builds whose time was taken.
    pub builds: usize,
    /// Seeds that the quality is the mean of.
    pub seeds: u64,
    /// The rings.
    pub rings: Vec<Row>,
}

/// The figures of one ring.
#[derive(Debug, Serialize)]
pub struct Row {
    /// How it was filled.
    pub algorithm: Algorithm,
    /// Its rows.
    pub rows: u32,
    /// How many backends share them.
    pub backends: usize,
    /// The time of a build.
    pub build_ms: Statistic,
    /// The memory that a build needs at most.
    pub heap_bytes: usize,
    /// How good it is.
    #[serde(flatten)]
    pub quality: Quality,
}

impl Report {
    /// The figures as a table. Times are `minimum / median`.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "rows",
            "backends",
            "algorithm",
            "build ms",
            "heap KiB",
            "max/share",
            "remove one",
            "add one",
            "halve one",
            "ramp",
        ]);
        for row in &self.rings {
            let quality = &row.quality;
            table.add_row([
                row.rows.to_string(),
                row.backends.to_string(),
                row.algorithm.to_string(),
                format!("{:.2} / {:.2}", row.build_ms.min, row.build_ms.median),
                (row.heap_bytes / 1024).to_string(),
                format!("{:.3}", quality.balance),
                format!("{:.2} %", quality.remove_excess_percent),
                format!("{:.2} %", quality.add_excess_percent),
                format!("{:.2} %", quality.halve_excess_percent),
                format!("{:.2}", quality.ramp),
            ]);
        }
        for (number, column) in table.column_iter_mut().enumerate() {
            if number != 2 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// What the columns mean, and what is known from elsewhere.
    pub const NOTES: &'static str = "\
build: minimum / median. heap: the most that a build needs at once. max/share: rows of the backend that has most, over
its share. remove, add, halve: rows moved beyond those that had to, of all rows. ramp: rows moved by ten steps from
nothing to full weight, over those that had to.
Reference (65,536 rows; 100 and 300 backends; remove or add one): Maglev 0.57 and 0.88 %; quotas without tolerance 0.32
and 0.38 %, with 2 % 0.12 and 0.18 %; plain rendezvous 0, but 10 and 20 % out of balance. Ramp: quotas 2.2, Maglev 4.5.";
}
