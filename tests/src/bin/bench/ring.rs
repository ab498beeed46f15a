//! `bench ring`: what a ring costs, and how good it is.

use anyhow::Result;
use clap::Args;
use tests::bench::{
    heap::Heap,
    ring::{self, Effort, Report},
};

#[derive(Debug, Args)]
pub(crate) struct Ring {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Builds of each ring whose time is taken
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    builds: u32,
    /// Seeds that balance and excess are the mean of
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
}

/// Measures every ring.
pub(crate) fn run(arguments: &Ring, heap: &Heap) -> Result<()> {
    let report = ring::run(Effort { builds: arguments.builds as usize, seeds: arguments.seeds }, heap)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}\n{}", report.table(), Report::NOTES);
    }
    Ok(())
}
