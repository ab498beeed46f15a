//! What buckets let pass, one packet after the other and from several threads at once.

extern crate std;

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::{collections::BTreeMap, thread, vec, vec::Vec};

use lb_common::{Bucket, LIMIT_WAYS, LimitBy, LimitLine, LimitMeasure};
use proptest::prelude::*;

use super::{Buckets, charge_source};

/// A set that threads share.
#[derive(Default)]
struct Shared([AtomicU64; LIMIT_WAYS]);

impl Buckets for &Shared {
    fn bucket(&self, number: u32) -> Bucket {
        Bucket::from_word(self.0[number as usize].load(SeqCst))
    }

    fn replace(&self, number: u32, old: Bucket, new: Bucket) -> bool {
        self.0[number as usize].compare_exchange(old.word(), new.word(), SeqCst, SeqCst).is_ok()
    }
}

const INTERVAL_NS: u64 = 1000;
/// No bucket is as empty as at the beginning of time.
const START_NS: u64 = 1 << 40;

fn limit(burst: u64) -> LimitLine {
    LimitLine {
        kind: LimitLine::kind(LimitBy::Source, LimitMeasure::Packets),
        v4_bits: 128,
        ..LimitLine::of_all(INTERVAL_NS, burst)
    }
}

/// Hashes of sources that have different tags.
const fn source(number: u64) -> u64 {
    (number + 1) << 46
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However threads interleave, a source passes no more than burst and rate allow, as long as its bucket is not taken away.
    #[test]
    fn threads_together_pass_no_more_than_the_limit(threads in 2_usize..5, burst in 1_u64..50, step_ns in 1_u64..300) {
        let (set, clock, limit) = (Shared::default(), AtomicU64::new(START_NS), limit(burst));
        let passed: u64 = thread::scope(|scope| {
            let packets = |_| scope.spawn(|| {
                let charge = |_: &u32| {
                    let now = clock.fetch_add(step_ns, SeqCst);
                    charge_source(&&set, &limit, source(0), now, limit.cost_ns(0))
                };
                (0..2000).filter(charge).count() as u64
            });
            let running: Vec<_> = (0..threads).map(packets).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let elapsed = clock.load(SeqCst) - START_NS;
        prop_assert!(passed <= burst + elapsed / INTERVAL_NS, "{passed} of {burst} and {elapsed} ns");
        prop_assert!(passed >= burst.min(2000), "{passed} is less than the burst {burst}");
    }

    /// One after the other, the limit lets pass exactly what a plain bucket of tokens does.
    #[test]
    fn a_bucket_agrees_with_tokens(burst in 1_u64..20, gaps in proptest::collection::vec(0_u64..5000, 1..200)) {
        let (set, limit) = (Shared::default(), limit(burst));
        let (mut now, mut tokens) = (START_NS, burst * INTERVAL_NS);
        for gap in gaps {
            now += gap;
            tokens = (tokens + gap).min(burst * INTERVAL_NS);
            let expected = tokens >= INTERVAL_NS;
            if expected {
                tokens -= INTERVAL_NS;
            }
            prop_assert_eq!(charge_source(&&set, &limit, source(0), now, limit.cost_ns(0)), expected);
        }
    }

    /// As many sources as a set has places do not disturb each other.
    #[test]
    fn sources_of_a_set_have_buckets_of_their_own(packets in proptest::collection::vec((0_u64..LIMIT_WAYS as u64, 0_u64..400), 1..400)) {
        let (set, limit) = (Shared::default(), limit(3));
        let mut alone: BTreeMap<u64, Shared> = BTreeMap::new();
        let mut now = START_NS;
        for (number, gap) in packets {
            now += gap;
            let own = alone.entry(number).or_default();
            let expected = charge_source(&&*own, &limit, source(number), now, limit.cost_ns(0));
            prop_assert_eq!(charge_source(&&set, &limit, source(number), now, limit.cost_ns(0)), expected);
        }
    }
}

#[test]
fn a_flood_of_sources_does_not_free_who_is_over_the_limit() {
    let (set, limit) = (Shared::default(), limit(1000));
    let charge = |number, now| charge_source(&&set, &limit, source(number), now, limit.cost_ns(0));
    assert_eq!((0..2000).filter(|_| charge(0, START_NS)).count(), 1000);
    // Each of them asks once, and takes the place of another that did.
    for number in 1..10_000 {
        assert!(charge(number, START_NS + number));
        assert!(!charge(0, START_NS), "source {number} has taken the place of one that asks for more");
    }
}

#[test]
fn a_full_set_gives_away_what_is_soonest_full() {
    let (set, limit) = (Shared::default(), limit(100));
    let charge = |number, now| charge_source(&&set, &limit, source(number), now, limit.cost_ns(0));
    for number in 0..LIMIT_WAYS as u64 {
        for _ in 0..=number {
            assert!(charge(number, START_NS));
        }
    }
    assert!(charge(100, START_NS));
    let debts: Vec<u64> =
        set.0.iter().map(|word| Bucket::from_word(word.load(SeqCst)).debt(START_NS, u64::MAX)).collect();
    assert_eq!(debts, vec![1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000]);
    assert!(Bucket::from_word(set.0[0].load(SeqCst)).is_of(source(100)));
}

#[test]
fn a_race_that_is_always_lost_is_over_the_limit() {
    struct Lost;
    impl Buckets for Lost {
        fn bucket(&self, _: u32) -> Bucket {
            Bucket::EMPTY
        }
        fn replace(&self, _: u32, _: Bucket, _: Bucket) -> bool {
            false
        }
    }
    let limit = limit(10);
    assert!(!charge_source(&Lost, &limit, source(0), START_NS, limit.cost_ns(0)));
}
