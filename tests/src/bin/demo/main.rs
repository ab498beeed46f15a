//! Sluice's main job, shown on real HTTP traffic: `cargo xtask demo`.
//!
//! A client, the node and three web servers stand on one switch, each in a network namespace. A load generator never
//! stops while the operator's commands are given; every step says what it expects, and is judged by what the client
//! saw. It fails if one step did not do what it says, and leaves nothing behind, whichever way it ends.

mod interrupt;
mod keep;
mod network;
mod report;
mod steps;

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use network::Network;
use report::Outcome;
use tests::traffic::{Load, LoadOptions};

/// Connections at the same time; each carries one request.
const CONNECTIONS: u32 = 8;
/// Enough for shares that mean something after some seconds, and little for any machine.
const REQUESTS_PER_SECOND: f64 = 500.0;

/// Shows Sluice's main job on real HTTP traffic between network namespaces.
#[derive(Parser)]
struct Arguments {
    /// Leave the network up when the steps are done, and print commands to play with it.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every step did what it says.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    interrupt::listen()?;
    let start = Instant::now();
    let mut network = Network::start()?;
    println!("{}\nready after {:.1} s\n", network::PICTURE, start.elapsed().as_secs_f64());

    let options =
        LoadOptions { connections: CONNECTIONS, rate_per_second: Some(REQUESTS_PER_SECOND), ..LoadOptions::default() };
    let load = Load::start(&network.client, network::SERVICE, options)?;
    let outcomes = steps::perform_all(&mut network, &load)?;
    load.stop()?;

    let succeeded = outcomes.iter().all(Outcome::succeeded);
    println!("\n{}", report::table(&outcomes));
    println!("{}", report::closing(&outcomes));
    if arguments.keep {
        keep::wait(&network)?;
    }
    Ok(succeeded)
}
