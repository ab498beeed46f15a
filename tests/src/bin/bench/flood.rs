//! `bench flood`: what clients get done in a flood of SYNs.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tests::bench::flood::{self, Effort};

#[derive(Debug, Args)]
pub(crate) struct Flood {
    /// SYNs a second
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    rate: u32,
    /// Rounds of everything
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds in peace and in the flood, in each round
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures everything.
pub(crate) fn run(arguments: &Flood) -> Result<()> {
    let report = flood::run(Effort {
        rounds: arguments.rounds as usize,
        requests: Duration::from_secs(arguments.seconds.into()),
        rate_per_second: arguments.rate,
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.text());
    }
    Ok(())
}
