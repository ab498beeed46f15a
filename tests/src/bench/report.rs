//! The figures, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// All figures of one run of the bench.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Rounds of each case.
    pub rounds: usize,
    /// Packets in each half of a round.
    pub repeat: u32,
    /// The cases.
    pub cases: Vec<Row>,
}

/// The figures of one case.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub case: String,
    /// How many flows it walks over.
    pub flows: u64,
    /// The entries of the firewall's list.
    pub entries: u32,
    /// The length of the frame.
    pub bytes: usize,
    /// The XDP action.
    pub verdict: &'static str,
    /// Nanoseconds a packet.
    pub total_ns: Statistic,
    /// Nanoseconds a packet without the program; with a list: without the list.
    pub floor_ns: Statistic,
    /// The difference.
    pub net_ns: Statistic,
}

/// What is kept of many measurements.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Statistic {
    /// The least.
    pub min: f64,
    /// The middle one.
    pub median: f64,
}

impl Statistic {
    /// Of these values; of none, not a number.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(sorted.len() / 2) }
    }
}

const NUMBERS: usize = 1;

impl Report {
    /// The figures as a table. Times are `minimum / median` in nanoseconds.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "case",
            "flows",
            "entries",
            "bytes",
            "verdict",
            "total ns",
            "floor ns",
            "net ns",
            "net/floor",
        ]);
        for row in &self.cases {
            table.add_row([
                row.case.clone(),
                row.flows.to_string(),
                row.entries.to_string(),
                row.bytes.to_string(),
                row.verdict.to_owned(),
                pair(row.total_ns),
                pair(row.floor_ns),
                pair(row.net_ns),
                format!("{:.1}", row.net_ns.median / row.floor_ns.median),
            ]);
        }
        for column in table.column_iter_mut().skip(NUMBERS) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

fn pair(statistic: Statistic) -> String {
    format!("{:.1} / {:.1}", statistic.min, statistic.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        let statistic = Statistic::of(&[3.0, 9.0, 1.0, 4.0, 2.0]);
        assert_eq!((statistic.min, statistic.median), (1.0, 3.0));
    }
}
