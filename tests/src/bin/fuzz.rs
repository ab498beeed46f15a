//! `cargo xtask fuzz`: the packet table's packets, changed at random for as long as one likes.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use clap::Parser;
use tests::{
    cases::kernel,
    fuzz::{Fuzzer, Random},
};

/// Frames of a case for the library, and then for library and loaded program; a frame for both costs some hundred
/// system calls.
const LIBRARY_FRAMES: usize = 4000;
const BOTH_FRAMES: usize = 40;

/// Change the packet table's packets at random. The library must keep the laws that hold for every frame, and the loaded
/// program must do what the library does.
///
/// A finding ends the run with exit code 1 and shows the frame, the case whose tables it met, and what is wrong. Make it a
/// case of the packet table with a name of its own, and then correct the datapath.
#[derive(Parser)]
#[command(bin_name = "cargo xtask fuzz")]
struct Arguments {
    /// How long, in seconds.
    #[arg(default_value_t = 60)]
    seconds: u64,

    /// The seed of a run that is to be seen again; another one each time by default.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as u64,
    };
    println!("seed {seed}: the same seed makes the same run");
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    kernel::with_runner(|runner| {
        let (mut fuzzer, mut order) = (Fuzzer::new(seed), Random::new(seed));
        let (mut turns, mut shown) = (0usize, Instant::now());
        while Instant::now() < end {
            let case = order.below(fuzzer.cases());
            fuzzer.run_library(case, LIBRARY_FRAMES).with_context(|| again(seed, turns))?;
            fuzzer.run_both(case, BOTH_FRAMES, runner).with_context(|| again(seed, turns))?;
            turns += 1;
            if shown.elapsed() > Duration::from_secs(10) {
                shown = Instant::now();
                println!("{}", progress(turns, &fuzzer));
            }
        }
        println!("{}; nothing was found", progress(turns, &fuzzer));
        Ok(())
    })
}

fn progress(turns: usize, fuzzer: &Fuzzer) -> String {
    let (library, both) = (turns * LIBRARY_FRAMES, turns * BOTH_FRAMES);
    format!("{library} frames through the library, {both} through both, {} new seeds", fuzzer.found())
}

fn again(seed: u64, turns: usize) -> String {
    format!("found after {turns} turns: `cargo xtask fuzz --seed {seed}` finds it again")
}
