//! The table, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::Outcome;

/// All results of one seed.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// About how many connections each workload has.
    pub connections: u32,
    /// What chance began with.
    pub seed: u64,
    /// The rules that are compared.
    pub workloads: Vec<Compared>,
    /// False alarms of health checks that end a backend at once.
    pub alarms_without_suspects: Outcome,
    /// False alarms as the product takes them.
    pub alarms_with_suspects: Outcome,
    /// What strangers can do.
    pub floods: Vec<Victims>,
}

/// One way to steer packets.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Which.
    pub rules: String,
    /// Changes of every kind, one at a time.
    pub one_change: Outcome,
    /// All servers drained and returned, three at the same time.
    pub overlapping: Outcome,
}

/// How many connections break under one way to steer packets when servers are drained during a flood.
#[derive(Clone, Debug, Serialize)]
pub struct Victims {
    /// Which.
    pub rules: String,
    /// How many connections there were.
    pub connections: u64,
    /// Without a flood.
    pub none: u64,
    /// With one of packets that open connections.
    pub syn: u64,
    /// With one of other packets.
    pub ack: u64,
    /// With one of both in turn, as if connections were opened.
    pub pairs: u64,
}

impl Compared {
    fn idle_worst_percent(&self) -> f64 {
        self.one_change.idle_broken_percent().max(self.overlapping.idle_broken_percent())
    }
}

impl Report {
    /// The results as text.
    pub fn text(&self) -> String {
        let Self { connections, seed, alarms_without_suspects: without, alarms_with_suspects: with, .. } = self;
        format!(
            "Connections that broke although their server was alive, per cent of {connections} (seed {seed}):\n\n{}\n\n\
             False health alarms on servers that are well: {:.3} % broken if a failed check ends a backend at once, \
             {:.4} % with suspects.\n\n\
             Connections broken when servers are drained during ten minutes of flood, 100 strangers for each real connection:\n\n{}\n\n{NOTES}",
            self.workload_table(),
            without.broken_percent(),
            with.broken_percent(),
            self.flood_table(),
        )
    }

    fn workload_table(&self) -> Table {
        let rows = self.workloads.iter().map(|compared| {
            [
                compared.rules.clone(),
                format!("{:.4}", compared.one_change.broken_percent()),
                format!("{:.4}", compared.overlapping.broken_percent()),
                format!("{:.2}", compared.idle_worst_percent()),
            ]
        });
        table(["", "one change at a time", "overlapping drains", "idle ones, worst"], rows)
    }

    fn flood_table(&self) -> Table {
        let rows = self.floods.iter().map(|victims| {
            let Victims { rules, connections, none, syn, ack, pairs } = victims;
            [
                rules.clone(),
                connections.to_string(),
                none.to_string(),
                syn.to_string(),
                ack.to_string(),
                pairs.to_string(),
            ]
        });
        table(["", "connections", "no flood", "SYN", "ACK", "SYN and ACK"], rows)
    }
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

const NOTES: &str = "\
Connections: 63 % live up to a minute, 35 % up to an hour, 2 % are idle for up to an hour with a packet every few minutes, and
0.02 % live up to three hours and are silent for up to 75 minutes at a time. 20 servers, rings of 4096 rows, six hours.
One change at a time: every seven minutes a drain, a weight, a new server, a dead one, one that is removed. Overlapping
drains: every five minutes the next server is drained for a quarter of an hour. In both the second of two nodes fails twice.

The simulation that the rules come from, of 4.3 million connections (ARCHITECTURE.md), had 2.2 / 4.5 / 16 for the ring
alone, 0.150 / 0.554 / 6.3 for two nodes with tables, 0.0006 / 0.0004 / 0.3 for these rules with 15 minutes and 0 with an
hour; 0.952 and 0.002 for false alarms; 22 of 238,000 victims of either flood for these rules, 14,290 for the ring alone.
Its workloads are known by these figures only, so single figures differ by a factor of up to five:
- The ring alone breaks in proportion to changes times lifetime; here it has somewhat fewer of them in overlapping drains.
- A node's table forgets who is idle for longest. The idle ones here speak often enough to be remembered by most tables.
- Whom these rules break, even in a flood, is silent for longer than rows move. How many there are is the workload's choice.
- False alarms come every seven minutes here, which is more often.
Not here: two nodes that exchange entries, because the product has no such exchange yet.";
