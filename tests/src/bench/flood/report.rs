//! What was measured, as a table.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::Goodput;

/// The figures of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Rounds of everything.
    pub rounds: usize,
    /// SYNs a second that were to be sent.
    pub rate_per_second: u32,
    /// What clients got done.
    pub goodput: Vec<Goodput>,
    /// What could not be measured here, and why.
    pub missing: Vec<String>,
}

impl Report {
    /// The figures as text; all are medians of the rounds.
    pub fn text(&self) -> String {
        let missing: String = self.missing.iter().map(|line| format!("\nnot measured: {line}")).collect();
        format!("{}{missing}\n\n{NOTES}", self.table())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "peace/s", "flood/s", "share", "p50 ms", "p99 ms", "failed", "SYNs/s"]);
        table.add_rows(self.goodput.iter().map(|goodput| {
            [
                goodput.shield.clone(),
                format!("{:.0}", goodput.peace_per_second.median),
                format!("{:.0}", goodput.flood_per_second.median),
                format!("{:.1} %", goodput.share.median * 100.0),
                format!("{:.1}", goodput.p50_ms.median),
                format!("{:.1}", goodput.p99_ms.median),
                goodput.failed.to_string(),
                format!("{:.0}", goodput.flood_rate.median),
            ]
        }));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

const NOTES: &str = "\
Medians of the rounds, in which everything took its turn. Eight clients ask for a page, each time on a new connection, 400 times a second
together; the flood comes from made-up sources to the same port. The server keeps 128 half-open connections and makes no
cookies. share: answers a second in the flood over those before it.";
