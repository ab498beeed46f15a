//! Chance that repeats itself.

/// Random numbers of a seed: SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The numbers of one of many things that belong to the same seed, independent of those of the others.
    pub(super) const fn of(seed: u64, thing: u64) -> Self {
        Self(scramble(seed ^ scramble(thing.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    pub(super) const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// Between 0 and 1, neither of which it is.
    pub(super) fn fraction(&mut self) -> f64 {
        ((self.word() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Evenly between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.fraction()
    }

    /// Between two numbers, each of their decades equally often.
    pub(super) fn of_any_size(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.fraction())
    }

    /// Exponentially distributed: the time between events that know nothing of each other.
    pub(super) fn wait(&mut self, mean: f64) -> f64 {
        -mean * self.fraction().ln()
    }
}

/// A bijection of words after which nothing of their order is left.
pub(super) const fn scramble(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
