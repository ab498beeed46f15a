//! The clock that the datapath dates its entries with.

use nix::time::{ClockId, clock_gettime};

/// Seconds since the machine started, by the datapath's clock: the monotonic one, read coarsely.
pub(super) fn now_s() -> u64 {
    now_ms() / 1000
}

/// Milliseconds since the machine started, by the same clock.
pub(super) fn now_ms() -> u64 {
    // This clock always exists on Linux, and is never negative.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE);
    time.map_or(0, |time| time.tv_sec().unsigned_abs() * 1000 + time.tv_nsec().unsigned_abs() / 1_000_000)
}
