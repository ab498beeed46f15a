//! `bench traffic`: packets and requests from end to end.

use anyhow::Result;
use clap::Args;
use tests::bench::traffic::{self, Effort};

#[derive(Debug, Args)]
pub(crate) struct Traffic {
    /// Half a minute instead of some
    #[arg(long)]
    quick: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Measures everything.
pub(crate) fn run(arguments: &Traffic) -> Result<()> {
    let report = traffic::run(if arguments.quick { Effort::QUICK } else { Effort::FULL })?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.text());
    }
    Ok(())
}
