//! Who is behind most of it, without a counter for each: the space-saving sketch.
//!
//! Problem: a flood may come from millions of sources, and the few that matter must be found in bounded memory.
//! Mechanism (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005): a
//! fixed number of counters. A key that has none takes over the smallest one with all that it has counted, which is what the
//! new key may have been counted too much. Trade-off: of `n` counted in all, every key with more than `n / room` has a
//! counter, and no counter is wrong by more than that; what keys with less have is noise, and says so.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

/// What is known of a key's count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// It is not more than this.
    pub count: u64,
    /// It is not less than this less than `count`, as far as the sketch is concerned.
    pub error: u64,
    /// The variance that comes from counting some for many: Σ w (w − 1) over the weights.
    pub variance: f64,
}

impl Estimate {
    /// What is certain of it: the least that the key can have.
    pub const fn at_least(&self) -> u64 {
        self.count - self.error
    }

    /// The middle of what is possible, and how far from it the truth may be: the sketch's error for certain, and that of
    /// sampling in 19 of 20 cases.
    pub fn with_error(&self) -> (u64, u64) {
        let half = self.error / 2;
        let sampling = (2.0 * self.variance.sqrt()).ceil() as u64;
        (self.count - half, (self.error - half).saturating_add(sampling))
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.error += other.error;
        self.variance += other.variance;
    }
}

/// A fixed number of counters.
#[derive(Clone, Debug)]
pub struct Sketch<K> {
    room: usize,
    counters: HashMap<K, Estimate>,
    /// The counters by what they have counted.
    order: BTreeSet<(u64, K)>,
}

impl<K: Copy + Ord + Hash> Sketch<K> {
    /// A sketch of so many counters, at least one.
    pub fn new(room: usize) -> Self {
        Self { room: room.max(1), counters: HashMap::new(), order: BTreeSet::new() }
    }

    /// Counts a key `weight` times.
    pub fn add(&mut self, key: K, weight: u64) {
        let mut estimate = match self.counters.get(&key) {
            Some(known) => {
                self.order.remove(&(known.count, key));
                *known
            }
            None => self.free(),
        };
        estimate.count += weight;
        estimate.variance += weight as f64 * weight.saturating_sub(1) as f64;
        self.order.insert((estimate.count, key));
        self.counters.insert(key, estimate);
    }

    /// What a key without a counter begins with: the smallest counter's, whose key loses it, if there is no room.
    fn free(&mut self) -> Estimate {
        if self.counters.len() < self.room {
            return Estimate::default();
        }
        let Some((count, key)) = self.order.pop_first() else { return Estimate::default() };
        let variance = self.counters.remove(&key).map_or(0.0, |evicted| evicted.variance);
        Estimate { count, error: count, variance }
    }

    /// What a key that has no counter may have at the most.
    pub fn unknown(&self) -> u64 {
        if self.counters.len() < self.room { 0 } else { self.order.first().map_or(0, |(count, _)| *count) }
    }

    /// The keys that have counters.
    pub fn keys(&self) -> impl Iterator<Item = (K, Estimate)> {
        self.counters.iter().map(|(key, estimate)| (*key, *estimate))
    }
}

/// What several sketches say together of every key that one of them knows (Agarwal et al., "Mergeable summaries", 2012): where
/// a key has no counter, it may have been counted as often as the smallest one says.
pub fn combined<'s, K: Copy + Ord + Hash + 's>(sketches: impl Iterator<Item = &'s Sketch<K>>) -> BTreeMap<K, Estimate> {
    let mut sums: BTreeMap<K, (Estimate, u64)> = BTreeMap::new();
    let mut unknown = 0;
    for sketch in sketches {
        unknown += sketch.unknown();
        for (key, estimate) in sketch.keys() {
            let (sum, own) = sums.entry(key).or_default();
            sum.add(estimate);
            *own += sketch.unknown();
        }
    }
    let whole = |(key, (sum, own)): (K, (Estimate, u64))| {
        let missing = unknown - own;
        (key, Estimate { count: sum.count + missing, error: sum.error + missing, ..sum })
    };
    sums.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Stream = Vec<(u16, u64)>;

    /// Few keys have much, many have little.
    fn streams() -> impl Strategy<Value = Stream> {
        let key = prop_oneof![0..8u16, 0..64u16, 0..2000u16];
        prop::collection::vec((key, prop_oneof![Just(1), 1..200u64]), 0..300)
    }

    fn exact(stream: &Stream) -> BTreeMap<u16, u64> {
        let mut counts = BTreeMap::new();
        stream.iter().for_each(|(key, weight)| *counts.entry(*key).or_default() += weight);
        counts
    }

    fn sketch(stream: &Stream, room: usize) -> Sketch<u16> {
        let mut sketch = Sketch::new(room);
        stream.iter().for_each(|(key, weight)| sketch.add(*key, *weight));
        sketch
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn no_counter_is_wrong_by_more_than_it_says(stream in streams(), room in 1..64usize) {
            let (exact, sketch) = (exact(&stream), sketch(&stream, room));
            let total: u64 = exact.values().sum();
            prop_assert!(sketch.keys().count() <= room);
            prop_assert_eq!(sketch.keys().map(|(_, estimate)| estimate.count).sum::<u64>(), total);
            for (key, estimate) in sketch.keys() {
                let truth = exact[&key];
                prop_assert!(estimate.at_least() <= truth && truth <= estimate.count, "{}: {:?}", truth, estimate);
                prop_assert!(estimate.error <= total / room as u64);
            }
        }

        #[test]
        fn who_has_much_has_a_counter(stream in streams(), room in 1..64usize) {
            let (exact, sketch) = (exact(&stream), sketch(&stream, room));
            let total: u64 = exact.values().sum();
            let known: BTreeSet<u16> = sketch.keys().map(|(key, _)| key).collect();
            for (key, truth) in exact {
                prop_assert!(truth <= sketch.unknown().max(total / room as u64) || known.contains(&key));
                prop_assert!(known.contains(&key) || truth <= sketch.unknown());
            }
        }

        #[test]
        fn with_room_for_all_it_is_exact(stream in streams()) {
            let counts: BTreeMap<u16, u64> = sketch(&stream, 2000).keys().map(|(key, e)| (key, e.at_least())).collect();
            prop_assert_eq!(counts, exact(&stream));
        }

        #[test]
        fn sketches_together_are_not_wrong_by_more_than_they_say(
            streams in prop::collection::vec(streams(), 1..5),
            room in 1..64usize,
        ) {
            let sketches: Vec<_> = streams.iter().map(|stream| sketch(stream, room)).collect();
            let exact = exact(&streams.concat());
            let combined = combined(sketches.iter());
            let unknown: u64 = sketches.iter().map(Sketch::unknown).sum();
            for (key, truth) in exact {
                match combined.get(&key) {
                    Some(estimate) => {
                        prop_assert!(estimate.at_least() <= truth && truth <= estimate.count, "{}: {:?}", truth, estimate);
                    }
                    None => prop_assert!(truth <= unknown),
                }
            }
        }
    }

    #[test]
    fn records_that_stand_for_themselves_alone_have_no_error_of_sampling() {
        let estimate = |weights: &[u64]| {
            let mut sketch = Sketch::new(4);
            weights.iter().for_each(|weight| sketch.add(7u16, *weight));
            sketch.keys().next().map(|(_, estimate)| estimate.with_error())
        };
        assert_eq!(estimate(&[1; 100]), Some((100, 0)));
        // Four records that stand for 100 each: ± 2 √(4 · 100 · 99).
        assert_eq!(estimate(&[100; 4]), Some((400, 398)));
    }
}
