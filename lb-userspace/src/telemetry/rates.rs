//! How fast counters grow.

use std::collections::VecDeque;

/// Over how many seconds a rate is taken.
const WINDOW_S: u64 = 10;

/// Readings of a fixed number of counters over the last seconds.
#[derive(Debug, Default)]
pub struct Rates {
    readings: VecDeque<(u64, Vec<u64>)>,
}

impl Rates {
    /// Notes a reading of all counters, in the order that they always have, at a time in milliseconds.
    pub fn note(&mut self, now_ms: u64, counters: Vec<u64>) {
        self.readings.push_back((now_ms, counters));
        // One reading that is older than the window is its beginning.
        while self.readings.get(1).is_some_and(|(time, _)| now_ms.saturating_sub(*time) >= WINDOW_S * 1000) {
            self.readings.pop_front();
        }
    }

    /// How fast a counter that now stands at `value` has grown, a second; 0 if it was not read before.
    pub fn of(&self, index: usize, now_ms: u64, value: u64) -> f64 {
        let Some((time, counters)) = self.readings.front() else { return 0.0 };
        let (Some(before), elapsed_ms @ 1..) = (counters.get(index), now_ms.saturating_sub(*time)) else { return 0.0 };
        value.saturating_sub(*before) as f64 * 1000.0 / elapsed_ms as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut rates = Rates::default();
        assert_eq!(rates.of(0, 5000, 100), 0.0);
        for second in 0..=60 {
            let value = if second < 40 { second * 1000 } else { 40_000 + (second - 40) * 7 };
            rates.note(second * 1000, vec![0, value]);
        }
        assert_eq!(rates.of(1, 60_000, 40_140), 7.0);
        assert_eq!(rates.of(0, 60_000, 0), 0.0);
        assert_eq!(rates.of(2, 60_000, 7), 0.0, "a counter that was not read");
    }

    #[test]
    fn a_short_past_is_not_taken_for_a_long_one() {
        let mut rates = Rates::default();
        rates.note(1000, vec![10]);
        assert_eq!(rates.of(0, 1500, 20), 20.0);
        assert_eq!(rates.of(0, 1000, 20), 0.0);
    }
}
