//! `cargo xtask sim`: hours of connections and changes, in minutes.

use anyhow::Result;
use clap::{Args, Parser};
use tests::sim::state::Options;

/// Simulates Sluice.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask sim")]
enum Sim {
    /// How many connections break although their server is alive, compared with other balancers' rules.
    State(State),
}

#[derive(Debug, Args)]
struct State {
    /// Connections of each workload, about; 4300000 take a quarter of an hour
    #[arg(long, value_name = "N", default_value_t = 250_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    connections: u32,
    /// What chance begins with: the same seed has the same results
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Some seconds instead of some minutes: 20000 connections
    #[arg(long, conflicts_with = "connections")]
    quick: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let Sim::State(arguments) = Sim::parse();
    let connections = if arguments.quick { 20_000 } else { arguments.connections };
    let report = Options { connections, seed: arguments.seed }.report();
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.text());
    }
    Ok(())
}
