//! The clock that the datapath dates its entries and records with.

use std::fs;

use nix::time::{ClockId, clock_gettime};

/// Seconds since the machine started, by the datapath's clock: the monotonic one, read coarsely.
pub(super) fn now_s() -> u64 {
    now_ns() / 1_000_000_000
}

/// The same in milliseconds.
pub(super) fn now_ms() -> u64 {
    now_ns() / 1_000_000
}

/// The same in nanoseconds.
pub(super) fn now_ns() -> u64 {
    // This clock always exists on Linux, and is never negative.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map_or((0, 0), |time| (time.tv_sec(), time.tv_nsec()));
    time.0.unsigned_abs() * 1_000_000_000 + time.1.unsigned_abs()
}

/// What tells this run of the machine, and of its clock, from others.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}
