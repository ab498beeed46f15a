//! What holds for every frame, whatever its tables.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow, ensure};
use lb_ebpf::{frame::MemoryFrame, parse};

use crate::{
    cases::{Action, Case, Observation, host},
    packet::oracle,
    world::World,
};

/// Runs the library on a case's frame and checks what it does; a frame may grow by this many bytes. Returns what was
/// seen.
///
/// # Errors
///
/// The law that is broken.
pub(super) fn check(case: &Case, world: &World, growth: usize) -> Result<Observation> {
    let ran = catch_unwind(AssertUnwindSafe(|| host::run(case, world)));
    let seen = ran.map_err(|_| anyhow!("the library panicked"))?;
    counted_once(&seen)?;
    match seen.verdict {
        Action::Pass => ensure!(seen.frame == case.frame, "a packet that passes was changed"),
        Action::Transmit | Action::Redirect(_) => leaves_well(case, &seen, growth)?,
        Action::Drop => {}
    }
    Ok(seen)
}

/// A drop has one reason, and nothing else has any; a packet belongs to one service and one backend at the most.
fn counted_once(seen: &Observation) -> Result<()> {
    let drops: u64 = seen.counts.drops.values().sum();
    let expected = u64::from(seen.verdict == Action::Drop);
    ensure!(drops == expected, "{:?} was counted as {drops} drops: {:?}", seen.verdict, seen.counts.drops);
    let services: u64 = seen.counts.services.values().map(|traffic| traffic.packets).sum();
    let backends: u64 = seen.counts.backends.values().map(|traffic| traffic.packets).sum();
    ensure!(services <= 1 && backends <= 1, "counted more than once: {:?}", seen.counts);
    Ok(())
}

/// What leaves can be parsed, has not grown by more than a header, and is valid if it came valid.
fn leaves_well(case: &Case, seen: &Observation, growth: usize) -> Result<()> {
    let grown = seen.frame.len().saturating_sub(case.frame.len());
    ensure!(grown <= growth, "the frame grew by {grown} bytes, and no case by more than {growth}");
    let mut bytes = seen.frame.clone();
    let mut place = None;
    ensure!(parse::packet(&MemoryFrame::new(&mut bytes, 0, 1), &mut place).is_some(), "what left is no packet");
    if oracle::check(&case.frame).is_ok() {
        oracle::check(&seen.frame).map_err(|error| error.context("a valid packet left as one that is not"))?;
    }
    Ok(())
}
