//! Drops that are shown: what the datapath records of some, and how it chooses them.
//!
//! Problem: an operator wants to see who is dropped and why, in a flood as well, and a record of each packet would cost
//! more than all else that is done to it. Mechanism: one drop in `gap` is recorded, and says how many it stands for. The gap follows
//! the flood: it is what the last interval's drops would have needed to fit the budget. Which drop it is within the gap is left to
//! chance, because a flood that repeats itself would otherwise show the same of its senders again and again. Trade-off:
//! each CPU has a share of the budget, so that nothing is shared between them, and a flood that meets one CPU gets that CPU's share.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// One drop, as the datapath saw the packet at that moment. Numbers are in host byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DropSample {
    /// The source address; its form tells the family.
    pub source: Address,
    /// The destination address.
    pub destination: Address,
    /// When, in nanoseconds since the machine started, by the coarse monotonic clock.
    pub time_ns: u64,
    /// How many drops of its CPU this one stands for, itself included.
    pub weight: u64,
    /// The [`crate::DropReason`], as its index.
    pub reason: u32,
    /// The interface that the packet came in by.
    pub ifindex: u32,
    /// The length of the frame, in bytes.
    pub frame_bytes: u32,
    /// The number of the rule that dropped the packet, counted from 1; 0 if none did.
    pub rule: u32,
    /// The source port; 0 where there are no ports.
    pub source_port: u16,
    /// The destination port; 0 where there are no ports.
    pub destination_port: u16,
    /// The IP protocol number, behind IPv6 extension headers.
    pub protocol: u8,
    /// The flags of a TCP segment, otherwise 0.
    pub tcp_flags: u8,
    /// Always 0.
    pub zero: u16,
}

/// How long an interval of [`Sampler`] is, as a power of two of nanoseconds: 134 ms.
pub const SAMPLE_INTERVAL_BITS: u32 = 27;

/// What one CPU knows of the drops that it has seen while drops are sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sampler {
    /// The number of the interval that it is in: the time in nanoseconds, without its low [`SAMPLE_INTERVAL_BITS`] bits.
    interval: u64,
    /// Drops since the last that was recorded.
    since: u64,
    /// Drops in this interval.
    seen: u32,
    /// Records of this interval.
    taken: u32,
    /// The mean number of drops from one record to the next.
    gap: u32,
    /// How many drops are let go before the next record.
    wait: u32,
}

impl Sampler {
    /// Whether a drop at this time is to be recorded; if so, how many drops it stands for, and 0 otherwise.
    ///
    /// There are `allowed` records in an interval at the most. `random` is asked once a record.
    #[inline(always)]
    pub fn choose(&mut self, now_ns: u64, allowed: u32, random: impl FnOnce() -> u32) -> u64 {
        let interval = now_ns >> SAMPLE_INTERVAL_BITS;
        if interval != self.interval {
            self.begin(interval, allowed);
        }
        self.seen = self.seen.saturating_add(1);
        self.since += 1;
        if self.wait > 0 {
            self.wait -= 1;
            return 0;
        }
        if self.taken >= allowed {
            return 0;
        }
        self.taken += 1;
        // From 0 to twice the mean.
        let span = 2 * u64::from(self.gap.max(1)) - 1;
        self.wait = ((u64::from(random()) * span) >> 32) as u32;
        core::mem::take(&mut self.since)
    }

    /// Gives back what a record stood for that could not be written: the next one stands for it.
    #[inline(always)]
    pub const fn give_back(&mut self, weight: u64) {
        self.since += weight;
    }

    /// Begins an interval. A flood that is over says nothing about what comes after a pause.
    #[inline(always)]
    fn begin(&mut self, interval: u64, allowed: u32) {
        if interval == self.interval + 1 {
            let gap = self.seen.checked_div(allowed).unwrap_or(1);
            // An eighth more, or chance would have every other interval run out of its budget before it ends.
            self.gap = (gap + gap / 8).clamp(1, MAX_GAP);
            self.wait = self.wait.min(2 * self.gap);
        } else {
            (self.gap, self.wait, self.since) = (1, 0, 0);
        }
        (self.interval, self.seen, self.taken) = (interval, 0, 0);
    }
}

/// The largest gap: the drops of an interval at 16 million a second, of which one is recorded.
const MAX_GAP: u32 = 1 << 21;

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;

    const INTERVAL_NS: u64 = 1 << SAMPLE_INTERVAL_BITS;

    /// A cheap source of chance.
    fn random(state: &mut u64) -> u32 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 32) as u32
    }

    /// What is recorded of drops at these times.
    fn weights(times: impl IntoIterator<Item = u64>, allowed: u32) -> Vec<u64> {
        let (mut sampler, mut state) = (Sampler::default(), 1);
        times.into_iter().map(|time| sampler.choose(time, allowed, || random(&mut state))).collect()
    }

    #[test]
    fn few_drops_are_all_recorded() {
        let times = (0..1000).map(|number| INTERVAL_NS * 7 + number * INTERVAL_NS / 50);
        assert!(weights(times, 60).into_iter().all(|weight| weight == 1));
    }

    #[test]
    fn a_flood_is_recorded_evenly_once_it_is_known() {
        let per_interval = 100_000;
        let times = (0..20 * per_interval).map(|number| INTERVAL_NS * 7 + number * (INTERVAL_NS / per_interval));
        let weights = weights(times, 50);
        let taken = weights.iter().filter(|weight| **weight > 0).count();
        assert!((800..=1000).contains(&taken), "{taken}");
        let later = &weights[2 * per_interval as usize..];
        let largest = later.iter().max().copied().unwrap_or(0);
        assert!(largest <= 5 * (per_interval / 50), "one record stands for {largest}");
    }

    #[test]
    fn a_flood_that_repeats_itself_does_not_hide_its_senders() {
        let per_interval = 100_000;
        let times = (0..100 * per_interval).map(|number| INTERVAL_NS * 7 + number * (INTERVAL_NS / per_interval));
        let mut by_sender = [0; 10];
        for (number, weight) in weights(times, 50).into_iter().enumerate() {
            by_sender[number % 10] += weight;
        }
        for (sender, drops) in by_sender.into_iter().enumerate() {
            assert!((850_000..=1_150_000).contains(&drops), "sender {sender} of 10 has {drops} of 10,000,000");
        }
    }

    #[test]
    fn what_was_seen_before_a_pause_is_no_longer_counted() {
        let burst = (0..1000).map(|_| INTERVAL_NS * 7);
        let weights = weights(burst.chain([INTERVAL_NS * 20]), 10);
        assert_eq!(weights.last(), Some(&1));
    }

    #[test]
    fn what_could_not_be_written_is_not_lost() {
        let mut sampler = Sampler::default();
        let weight = sampler.choose(INTERVAL_NS * 7, 10, || 0);
        sampler.give_back(weight);
        assert_eq!(sampler.choose(INTERVAL_NS * 7, 10, || 0), 2);
    }

    proptest! {
        #[test]
        fn the_budget_holds_and_no_drop_is_counted_twice(
            steps in prop::collection::vec(0..INTERVAL_NS / 2, 1..2000),
            divisor in 1..1000u64,
            allowed in 0..20u32,
        ) {
            let mut now = INTERVAL_NS * 3;
            let times: Vec<u64> = steps.iter().map(|step| { now += step / divisor; now }).collect();
            let weights = weights(times.iter().copied(), allowed);
            prop_assert!(weights.iter().sum::<u64>() <= times.len() as u64);
            let mut taken = std::collections::BTreeMap::<u64, u32>::new();
            for (time, _) in times.iter().zip(&weights).filter(|(_, weight)| **weight > 0) {
                *taken.entry(time >> SAMPLE_INTERVAL_BITS).or_default() += 1;
            }
            prop_assert!(taken.values().all(|count| *count <= allowed));
        }
    }
}
