//! Changed packets of the packet table, the same in every run: the library keeps the laws that hold for any frame, and the
//! loaded program does what the library does. `cargo xtask fuzz` goes on for as long as one likes.

use anyhow::Result;
use tests::{cases::kernel, fuzz::Fuzzer};

const SEED: u64 = 0x51_1ce;

#[test]
fn no_changed_packet_breaks_a_law() -> Result<()> {
    let mut fuzzer = Fuzzer::new(SEED);
    for case in 0..fuzzer.cases() {
        fuzzer.run_library(case, 100)?;
    }
    assert!(fuzzer.found() > fuzzer.cases(), "changes lead to nothing new: {} seeds", fuzzer.found());
    Ok(())
}

#[test]
fn the_loaded_program_agrees_about_changed_packets() -> Result<()> {
    let mut fuzzer = Fuzzer::new(SEED + 1);
    kernel::with_runner(|runner| {
        for case in 0..fuzzer.cases() {
            // Seeds that lead somewhere else come first: one change from the table is seldom far enough.
            fuzzer.run_library(case, 20)?;
            fuzzer.run_both(case, 12, runner)?;
        }
        Ok(())
    })
}
