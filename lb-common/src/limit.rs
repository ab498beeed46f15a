//! Rate limits: buckets that are one word each, so that every CPU changes them with one compare-and-exchange.
//!
//! Problem: a bucket of tokens and a time are two values that CPUs must change together. Mechanism: the bucket is the time at
//! which it is full again (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371, annex A). A packet
//! moves that time on by its cost, and is over the limit if that would lead further than the window (burst × cost) into the future;
//! a packet over the limit changes nothing. So a flood that is refused only reads. A bucket whose time is past is full, just
//! like one that is not there: nothing is lost if another source takes its place. Trade-off: time has 46 bits of nanoseconds, 19.5
//! hours; a bucket that nobody has touched for exactly so long looks as if it were in use, for a window's length.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Flow, HashKey};

/// Limits.
pub const MAX_LIMITS: usize = 16;

/// Buckets of a set, which is one cache line.
pub const LIMIT_WAYS: usize = 8;

/// Sets of the `buckets` array, a power of two: 2 MiB, for 262,144 sources at once.
pub const LIMIT_SETS: u32 = 1 << 15;

/// Elements of the `totals` array: a word for each limit and service, and one for what limits tell the daemon.
pub const LIMIT_TOTALS: u32 = MAX_LIMITS as u32 * crate::MAX_SERVICES + 1;

/// The element of `totals` that limits how much the daemon is told.
pub const NOTICE_TOTAL: u32 = LIMIT_TOTALS - 1;

/// The longest window: how long an empty bucket takes to fill, in nanoseconds. An hour.
pub const MAX_WINDOW_NS: u64 = 3_600_000_000_000;

/// How much later the clock of one CPU can be than another's reading of it that is still to be used, in nanoseconds.
const SLACK_NS: u64 = 1_000_000_000;

const TIME_BITS: u32 = 46;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// A set of the `buckets` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct BucketSet(pub [u64; LIMIT_WAYS]);

/// A bucket: `{tag: 18 bits, time when it is full again: 46 bits}`. All zeros is one that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket(u64);

one_word!(Bucket, u64);

impl Bucket {
    /// A bucket that nobody has.
    pub const EMPTY: Self = Self(0);

    /// Whether it is the bucket of a source with this hash, given that it is in that source's set.
    #[inline(always)]
    pub const fn is_of(self, hash: u64) -> bool {
        (self.0 ^ hash) >> TIME_BITS == 0
    }

    /// How long it takes to be full again, in nanoseconds, if that is at most `longest`; a longer time is of an hour long ago.
    #[inline(always)]
    pub const fn debt(self, now_ns: u64, longest: u64) -> u64 {
        let ahead = self.0.wrapping_sub(now_ns) & TIME;
        if self.0 == 0 || ahead > longest { 0 } else { ahead }
    }

    /// The bucket of a source with this hash that is full again after so many nanoseconds.
    #[inline(always)]
    pub const fn new(hash: u64, now_ns: u64, debt: u64) -> Self {
        Self(hash >> TIME_BITS << TIME_BITS | (now_ns.wrapping_add(debt) & TIME))
    }
}

/// What a limit tells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum LimitBy {
    /// Nothing: all packets share a bucket.
    #[default]
    All = 0,
    /// Services: each has a bucket.
    Service = 1,
    /// Sources, or prefixes of them: each has a bucket.
    Source = 2,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum LimitMeasure {
    /// Packets.
    #[default]
    Packets = 0,
    /// Bytes of the IP packets.
    Bytes = 1,
    /// TCP connections: SYNs.
    Connections = 2,
}

/// Bits of [`LimitLine::flags`].
pub struct LimitFlags;

impl LimitFlags {
    /// The daemon is told of sources over the limit.
    pub const NOTICE: u8 = 1;
    /// The window is so short that the coarse clock would not do.
    pub const FINE_CLOCK: u8 = 2;
}

/// A limit, half a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LimitLine {
    /// What its sources' buckets are told from others' by. It follows from all that the limit says, so that a limit that changes
    /// leaves its old buckets behind.
    pub seed: u64,
    /// How long an empty bucket takes to fill, in nanoseconds.
    pub window_ns: u64,
    /// How many nanoseconds a packet, byte or connection costs, in 65,536ths.
    pub cost: u64,
    /// The upper half of its name's identity, for the next daemon; 0 if there is no limit here.
    pub name: u32,
    /// [`LimitFlags`].
    pub flags: u8,
    /// How many bits of 128 of an IPv4 source count: 96 to 128.
    pub v4_bits: u8,
    /// How many bits of an IPv6 source count.
    pub v6_bits: u8,
    /// A [`LimitBy`] and, four bits up, a [`LimitMeasure`].
    pub kind: u8,
}

const _: () = assert!(size_of::<LimitLine>() == 32, "two limits are one cache line");

impl LimitLine {
    /// A limit of everything that comes, a packet each so many nanoseconds and so many at once, which has no name.
    pub const fn of_all(interval_ns: u64, burst: u64) -> Self {
        let window_ns = interval_ns.wrapping_mul(burst);
        Self { seed: 0, window_ns, cost: interval_ns << 16, name: 0, flags: 0, v4_bits: 0, v6_bits: 0, kind: 0 }
    }

    /// The byte of a line.
    pub const fn kind(by: LimitBy, measure: LimitMeasure) -> u8 {
        by as u8 | (measure as u8) << 4
    }

    /// Whether it tells this apart.
    #[inline(always)]
    pub const fn is_by(&self, by: LimitBy) -> bool {
        self.kind & 0xf == by as u8
    }

    /// Whether it counts this.
    #[inline(always)]
    pub const fn measures(&self, measure: LimitMeasure) -> bool {
        self.kind >> 4 == measure as u8
    }

    /// The hash of a source's bucket: its lower bits choose the set, the upper ones tell it from others there.
    #[inline(always)]
    pub const fn hash(&self, source: &Address, key: &HashKey) -> u64 {
        let (bits, seed) = if source.is_v4() {
            (self.v4_bits, Address::v4(self.seed as u32))
        } else {
            (self.v6_bits, Address::v6([1, 0, 0, self.seed as u32]))
        };
        let [upper, lower] = [(self.seed >> 48) as u16, (self.seed >> 32) as u16];
        Flow {
            source: source.prefix(bits),
            destination: seed,
            source_port: upper,
            destination_port: lower,
            protocol: 0,
        }
        .hash(key)
    }

    /// What a packet of so many bytes costs, in nanoseconds, rounded up.
    #[inline(always)]
    pub const fn cost_ns(&self, bytes: u32) -> u64 {
        let units = if self.measures(LimitMeasure::Bytes) { bytes as u64 } else { 1 };
        units.wrapping_mul(self.cost).wrapping_add(0xffff) >> 16
    }

    /// What the debt of a bucket becomes by a packet; `None` if the packet is over the limit.
    #[inline(always)]
    pub const fn charged(&self, bucket: Bucket, now_ns: u64, cost_ns: u64) -> Option<u64> {
        let debt = bucket.debt(now_ns, self.window_ns.wrapping_add(SLACK_NS)).wrapping_add(cost_ns);
        if debt > self.window_ns { None } else { Some(debt) }
    }
}

/// What a limit has done, on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LimitHits {
    /// Packets within the limit.
    pub passed: u64,
    /// Packets over the limit.
    pub limited: u64,
    /// The bytes of the latter, from the Ethernet header on.
    pub limited_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HashKey = HashKey::expand([1, 2]);
    const TEN: LimitLine = LimitLine {
        seed: 7,
        window_ns: 10_000,
        cost: 1000 << 16,
        name: 1,
        flags: 0,
        v4_bits: 96 + 24,
        v6_bits: 64,
        kind: LimitLine::kind(LimitBy::Source, LimitMeasure::Packets),
    };

    /// How many packets pass at these times, each a nanosecond.
    fn passed(limit: &LimitLine, times: impl IntoIterator<Item = u64>) -> usize {
        let mut bucket = Bucket::EMPTY;
        let mut passed = 0;
        for now in times {
            if let Some(debt) = limit.charged(bucket, now, limit.cost_ns(100)) {
                bucket = Bucket::new(7 << 46, now, debt);
                passed += 1;
            }
        }
        passed
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        assert_eq!(passed(&TEN, [5; 100]), 10);
        assert_eq!(passed(&TEN, (0..100_000).step_by(100)), 10 + 99);
        assert_eq!(passed(&TEN, (0..1_000_000).step_by(1000)), 1000);
    }

    #[test]
    fn an_idle_bucket_fills_no_further_than_the_burst() {
        let idle = [0; 10].into_iter().chain([1_000_000_000; 100]);
        assert_eq!(passed(&TEN, idle), 20);
    }

    #[test]
    fn the_time_may_wrap() {
        let before = (1 << TIME_BITS) - 2_500;
        assert_eq!(passed(&TEN, (0..100).map(|step| before + 100 * step)), 10 + 9);
        assert_eq!(passed(&TEN, [before; 100].into_iter().chain([before + (1 << 45); 100])), 20);
        // The last hour before a wrap: what nobody has is full all the same.
        assert_eq!(Bucket::EMPTY.debt((1 << TIME_BITS) - 10, MAX_WINDOW_NS), 0);
    }

    #[test]
    fn bytes_cost_what_they_weigh() {
        // A gigabyte a second: a nanosecond a byte.
        let bytes = LimitLine { kind: LimitLine::kind(LimitBy::Source, LimitMeasure::Bytes), cost: 1 << 16, ..TEN };
        assert_eq!((bytes.cost_ns(64), bytes.cost_ns(1500)), (64, 1500));
        let ten = LimitLine { cost: 6554, ..bytes };
        assert_eq!((ten.cost_ns(64), ten.cost_ns(1500)), (7, 151));
    }

    #[test]
    fn sources_of_a_prefix_share_a_bucket_and_others_do_not() {
        let v4 = |bits| TEN.hash(&Address::v4(bits), &KEY);
        let v6 = |words| TEN.hash(&Address::v6(words), &KEY);
        assert_eq!(v4(0x0a01_0001), v4(0x0a01_00ff));
        assert_ne!(v4(0x0a01_0001), v4(0x0a01_0101));
        assert_eq!(v6([0x2001_0db8, 1, 2, 3]), v6([0x2001_0db8, 1, 4, 5]));
        assert_ne!(v6([0x2001_0db8, 1, 2, 3]), v6([0x2001_0db8, 2, 2, 3]));
        let changed = LimitLine { seed: 8, ..TEN };
        assert_ne!(v4(0x0a01_0001), changed.hash(&Address::v4(0x0a01_0001), &KEY));
        let other = LimitLine { seed: 7 | 1 << 40, ..TEN };
        assert_ne!(v4(0x0a01_0001), other.hash(&Address::v4(0x0a01_0001), &KEY));
    }

    #[test]
    fn a_bucket_knows_whose_it_is() {
        let hash = 0xfedc_ba98_7654_3210;
        let bucket = Bucket::new(hash, u64::MAX, 5);
        assert!(bucket.is_of(hash) && bucket.is_of(hash ^ 1) && !bucket.is_of(hash ^ 1 << 46));
        assert_eq!(bucket.debt(u64::MAX, 100), 5);
    }
}
