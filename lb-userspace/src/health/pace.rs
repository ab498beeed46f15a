//! When the next check is due.
//!
//! Checks of many backends that begin together would stay together, and so would those of many nodes: each interval is
//! therefore made longer or shorter at random. While a state is in doubt the interval is half as long, so that `fall`
//! failures are seen in little more than half the time, at the price of a few checks more.

use std::time::Duration;

use crate::model::HealthCheck;

/// The first checks are spread over this time, or over the interval if that is shorter.
const FIRST_WITHIN: Duration = Duration::from_millis(100);

/// The intervals of one target.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    jitter_percent: u32,
    random: u64,
}

impl Pace {
    /// The pace of a check; the seed decides the random part.
    pub(super) fn new(check: &HealthCheck, seed: u64) -> Self {
        Self { interval: check.interval, jitter_percent: check.jitter_percent.min(100), random: seed }
    }

    /// The time until the first check.
    pub(super) fn first(&mut self) -> Duration {
        self.interval.min(FIRST_WITHIN).mul_f64(self.fraction())
    }

    /// The time from the start of a check to the start of the next.
    pub(super) fn next(&mut self, in_doubt: bool) -> Duration {
        let interval = if in_doubt { self.interval / 2 } else { self.interval };
        let jitter = f64::from(self.jitter_percent) / 100.0;
        interval.mul_f64(1.0 + jitter * (2.0 * self.fraction() - 1.0))
    }

    /// A random number from 0 to 1, by SplitMix64.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (z ^ (z >> 31)) >> 32;
        bits as f64 / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Probe;

    fn pace(interval_ms: u64, jitter_percent: u32, seed: u64) -> Pace {
        let check = HealthCheck {
            probe: Probe::Tcp,
            port: None,
            interval: Duration::from_millis(interval_ms),
            jitter_percent,
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
        };
        Pace::new(&check, seed)
    }

    /// Of many, the shortest and the longest, in milliseconds.
    fn extremes(samples: impl Iterator<Item = Duration>) -> (u128, u128) {
        let samples: Vec<_> = samples.map(|sample| sample.as_millis()).collect();
        (*samples.iter().min().unwrap(), *samples.iter().max().unwrap())
    }

    #[test]
    fn intervals_fill_the_range_that_the_jitter_allows() {
        let mut pace = pace(1000, 20, 7);
        let (shortest, longest) = extremes((0..1000).map(|_| pace.next(false)));
        assert!((800..810).contains(&shortest) && (1190..=1200).contains(&longest), "{shortest} to {longest}");
        let (shortest, longest) = extremes((0..1000).map(|_| pace.next(true)));
        assert!((400..405).contains(&shortest) && (595..=600).contains(&longest), "{shortest} to {longest}");
    }

    #[test]
    fn without_jitter_intervals_are_exact() {
        assert_eq!(pace(1000, 0, 7).next(false), Duration::from_secs(1));
    }

    #[test]
    fn first_checks_are_spread() {
        let (shortest, longest) = extremes((0..1000).map(|seed| pace(5000, 0, seed).first()));
        assert!(shortest < 3 && (97..=100).contains(&longest), "{shortest} to {longest}");
        let (_, longest) = extremes((0..1000).map(|seed| pace(20, 0, seed).first()));
        assert!(longest <= 20, "{longest}");
    }
}
