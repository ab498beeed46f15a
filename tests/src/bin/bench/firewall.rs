//! `bench firewall`: what lists cost.

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tests::bench::{
    firewall::{self, Report, VethReport},
    heap::Heap,
    measure::Effort,
    sandbox,
};

#[derive(Debug, Args)]
pub(crate) struct Firewall {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How many prefixes of IPv4 the lists have
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,100000,1000000,10000000")]
    v4: Vec<u32>,
    /// How many prefixes of IPv6 they have
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000000")]
    v6: Vec<u32>,
    /// The most prefixes that the kernel's trie is measured with: ten million take half a minute to load, and again to leave
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    trie: u32,
    /// Measure instead what packets cost that come over veth and are dropped, beside nftables: with this many prefixes
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1000000")]
    veth: Option<u32>,
    /// Rounds of each case
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets in each half of a round
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// The CPU to measure on
    #[arg(long, value_name = "N", default_value_t = 0)]
    cpu: usize,
}

/// Measures every list.
pub(crate) fn run(arguments: &Firewall, heap: &Heap) -> Result<()> {
    if let Some(count) = arguments.veth {
        let report = firewall::over_veth(count, arguments.rounds as usize)?;
        return print(arguments.json, &report, || format!("{}\n{}", report.table(), VethReport::NOTES));
    }
    let effort = Effort { rounds: arguments.rounds as usize, repeat: arguments.repeat };
    sandbox::pin_to_cpu(arguments.cpu)?;
    sandbox::enter()?;
    let cases = arguments.v4.iter().map(|&count| (true, count)).chain(arguments.v6.iter().map(|&count| (false, count)));
    let report = firewall::run(cases, arguments.trie, effort, heap)?;
    print(arguments.json, &report, || format!("{}\n{}", report.table(), Report::NOTES))
}

fn print(as_json: bool, report: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    println!("{}", if as_json { serde_json::to_string(report)? } else { text() });
    Ok(())
}
