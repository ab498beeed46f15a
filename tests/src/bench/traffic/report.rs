//! The figures, for people and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Clients, Packets};

/// All figures of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Rounds of everything.
    pub rounds: usize,
    /// Packets a second.
    pub packets: Vec<Packets>,
    /// What clients saw.
    pub clients: Vec<Clients>,
}

impl Report {
    /// The figures as text; all are medians of the rounds.
    pub fn text(&self) -> String {
        format!("{}\n\n{}\n\n{NOTES}", self.packet_table(), self.client_table())
    }

    fn packet_table(&self) -> Table {
        let rows = self.packets.iter().map(|packets| {
            [
                packets.subject.clone(),
                format!("{:.2}", packets.per_second.median / 1e6),
                format!("{:.2}", packets.of_bare.median),
                format!("{:.0}", packets.cpu_ns.median),
            ]
        });
        table(["packets", "million/s", "of bare", "cpu ns"], rows)
    }

    fn client_table(&self) -> Table {
        let rows = self.clients.iter().map(|clients| {
            [
                clients.balancer.clone(),
                format!("{:.0}", clients.requests_per_second.median),
                format!("{:.0}", clients.p50_us.median),
                format!("{:.0}", clients.p99_us.median),
                format!("{:.0}", clients.cpu_s_per_million.median),
                format!("{:.0}", clients.upload_mbit.median),
                format!("{:.0}", clients.download_mbit.median),
                clients.failed.to_string(),
            ]
        });
        let header =
            ["clients", "requests/s", "p50 us", "p99 us", "cpu s/million", "up Mbit/s", "down Mbit/s", "failed"];
        table(header, rows)
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
Medians of the rounds, in which everything took its turn. Packets: 64 bytes, a thousand flows, one processor that makes them and
one that receives, forwards and sinks them; cpu: the latter's run time for a packet. sink: nothing is forwarded. bare: the MAC
addresses are swapped, the least that a forwarder can do. Clients: 16 connections at a time, a request each; cpu: of all
processors, with clients, servers and whatever else ran. Up and down: one connection, every byte of which is compared; what
goes down passes the balancer only with `nat`, nftables and the proxies.";
