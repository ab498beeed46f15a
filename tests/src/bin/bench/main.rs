//! `cargo xtask bench`: what Sluice costs.

mod datapath;
mod firewall;
mod flood;
mod ring;
mod traffic;

use anyhow::Result;
use clap::Parser;
use tests::bench::heap::Heap;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Measures Sluice.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
enum Bench {
    /// Nanoseconds a packet in the kernel, by BPF_PROG_TEST_RUN.
    Datapath(datapath::Datapath),
    /// Nanoseconds that lists add to packets from many sources, and what it takes to load and change them.
    Firewall(firewall::Firewall),
    /// What real clients get done while a service is flooded with SYNs.
    Flood(flood::Flood),
    /// Time and memory of building rings, their balance, and the rows that changes move without need.
    Ring(ring::Ring),
    /// Packets and requests from end to end, compared with other balancers.
    Traffic(traffic::Traffic),
}

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Datapath(arguments) => datapath::run(&arguments),
        Bench::Firewall(arguments) => firewall::run(&arguments, &HEAP),
        Bench::Flood(arguments) => flood::run(&arguments),
        Bench::Ring(arguments) => ring::run(&arguments, &HEAP),
        Bench::Traffic(arguments) => traffic::run(&arguments),
    }
}
