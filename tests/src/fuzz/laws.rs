//! What holds for every frame, whatever its tables.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow, bail, ensure};
use lb_common::DropReason;
use lb_ebpf::{
    frame::MemoryFrame,
    parse::{self, Transport},
};

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
    let is_refused = seen.verdict == Action::Transmit && seen.counts.drops.get(&DropReason::MtuExceeded) == Some(&1);
    counted_once(&seen, is_refused)?;
    if is_refused {
        answered_well(case, &seen)?;
    }
    match seen.verdict {
        Action::Pass => ensure!(seen.frame == case.frame, "a packet that passes was changed"),
        Action::Transmit | Action::Redirect(_) => leaves_well(case, &seen, growth)?,
        Action::Drop => {}
    }
    Ok(seen)
}

/// A drop has one reason, one that is answered too, and nothing else has any; a packet belongs to one service and one backend
/// at the most.
fn counted_once(seen: &Observation, is_refused: bool) -> Result<()> {
    let drops: u64 = seen.counts.drops.values().sum();
    let expected = u64::from(seen.verdict == Action::Drop || is_refused);
    ensure!(drops == expected, "{:?} was counted as {drops} drops: {:?}", seen.verdict, seen.counts.drops);
    let services: u64 = seen.counts.services.values().map(|traffic| traffic.packets).sum();
    let backends: u64 = seen.counts.backends.values().map(|traffic| traffic.packets).sum();
    ensure!(services <= 1 && backends <= 1, "counted more than once: {:?}", seen.counts);
    Ok(())
}

/// The sender of a packet that does not fit is told in a message of the right length. Neither errors nor later fragments are
/// answered (RFC 1812, section 4.3.2.7; RFC 4443, section 2.4 (e)), nor what was sent to several receivers.
fn answered_well(case: &Case, seen: &Observation) -> Result<()> {
    let (mut came, mut went) = (case.frame.clone(), seen.frame.clone());
    let (mut came_place, mut went_place) = (None, None);
    let came = parse::packet(&MemoryFrame::new(&mut came, 0, 1), &mut came_place);
    let went = parse::packet(&MemoryFrame::new(&mut went, 0, 1), &mut went_place);
    let (Some(came), Some(went)) = (came, went) else { bail!("an answer that is no packet, or to what is none") };
    ensure!(came.transport != Transport::Error, "an error was answered with an error");
    ensure!(!came.is_later_fragment(), "a later fragment was answered");
    ensure!(case.frame[0] & 1 == 0, "what was for several receivers was answered");
    ensure!(went.transport == Transport::Error, "an answer that is no ICMP error");
    ensure!((went.source, went.destination) == (came.destination, came.source), "an answer to somebody else");
    ensure!(went.ip_bytes == if went.is_v4() { 576 } else { 1280 }, "an answer of {} bytes", went.ip_bytes);
    ensure!(case.frame[6..12] == seen.frame[..6], "an answer by another way");
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
