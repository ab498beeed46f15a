//! Rate limits: which apply to a packet, and whether it is within them.
//!
//! Other CPUs change the same buckets. Each change is one compare-and-exchange of one word that says whose the bucket is and how
//! full, so no change is lost, and never do more packets pass than the limit says. A packet that loses the race several
//! times is taken to be over the limit: as many others of the same set have passed meanwhile.

use lb_common::{
    Address, Bucket, DropReason, HashKey, LIMIT_WAYS, LimitBy, LimitFlags, LimitLine, LimitMeasure, MAX_LIMITS,
    MAX_SERVICES, MAX_WINDOW_NS, NOTICE_TOTAL, RuleBlock, RuleSettings, Subject, Traits,
};

use super::rules::told;
use crate::{parse::Packet, tables::Tables, verdict::Way};

/// How often a packet tries to change a bucket that others change at the same time.
const TRIES: u32 = 4;

/// What the daemon is told of at the most: 200 sources a second, 500 at once.
const NOTICES: LimitLine = LimitLine::of_all(5_000_000, 500);

/// What limits need to know and may change.
pub trait LimitTable {
    /// The set of buckets where that of a source with this hash would be.
    fn buckets(&self, hash: u64) -> Option<impl Buckets>;

    /// A bucket that sources share, as the only one of its set.
    fn total(&self, index: u32) -> Option<impl Buckets>;

    /// Nanoseconds since some moment: by the coarse clock, whose steps may be ten milliseconds, or by the fine one, which costs
    /// seven times as much.
    fn nanoseconds(&self, fine: bool) -> u64;

    /// Tells user space that a source is over a limit.
    fn notice_excess(&self, limit: u32, source: &Address);

    /// Counts a packet that was charged to a limit.
    fn count_limit(&self, limit: u32, is_within: bool, bytes: u64);
}

/// Words that other CPUs read and write at the same time.
pub trait Buckets {
    /// The bucket with a number.
    fn bucket(&self, number: u32) -> Bucket;

    /// Replaces a bucket, if it is still what it was.
    fn replace(&self, number: u32, old: Bucket, new: Bucket) -> bool;
}

/// Lets a packet go on that is within all limits for its service and for all packets.
#[inline(always)]
pub fn hold(
    subject: &Subject,
    packet: &Packet,
    block: &RuleBlock,
    applying: RuleSettings,
    tables: &impl Tables,
) -> Result<(), Way> {
    let service = subject.service();
    let own = block.scopes.get(Traits::service_index(subject.traits)).copied().unwrap_or(0);
    let limits = applying.limits | own;
    if limits == 0 {
        return Ok(());
    }
    for number in 0..MAX_LIMITS as u32 {
        if limits >> number & 1 != 0 && !tables.charge(packet, applying.bank, number, service) {
            return Err(Way::drop_by(DropReason::RateLimited, told(number as u8)));
        }
    }
    Ok(())
}

/// Charges a packet to a limit: whether it is within. One that the limit does not count is.
#[inline(always)]
pub fn charge(
    packet: &Packet,
    limit: &LimitLine,
    number: u32,
    service: Option<u32>,
    key: &HashKey,
    table: &impl LimitTable,
) -> bool {
    if limit.measures(LimitMeasure::Connections) && !packet.opens_flow() {
        return true;
    }
    let now_ns = table.nanoseconds(limit.flags & LimitFlags::FINE_CLOCK != 0);
    let cost_ns = limit.cost_ns(packet.ip_bytes);
    let is_within = if limit.is_by(LimitBy::Source) {
        let hash = limit.hash(&packet.source, key);
        table.buckets(hash).is_none_or(|set| charge_source(&set, limit, hash, now_ns, cost_ns))
    } else {
        let index = match service {
            Some(service) if limit.is_by(LimitBy::Service) => service,
            // What is for no service has no bucket of one.
            None if limit.is_by(LimitBy::Service) => return true,
            _ => 0,
        };
        charge_total(table, number.wrapping_mul(MAX_SERVICES).wrapping_add(index), limit, now_ns, cost_ns)
    };
    table.count_limit(number, is_within, packet.frame_bytes as u64);
    if !is_within && limit.flags & LimitFlags::NOTICE != 0 {
        notice(packet, number, table);
    }
    is_within
}

/// Charges a bucket that all share.
#[inline(always)]
fn charge_total(table: &impl LimitTable, index: u32, limit: &LimitLine, now_ns: u64, cost_ns: u64) -> bool {
    let Some(total) = table.total(index) else { return true };
    for _ in 0..TRIES {
        let old = total.bucket(0);
        let Some(debt) = limit.charged(old, now_ns, cost_ns) else { return false };
        if total.replace(0, old, Bucket::new(0, now_ns, debt)) {
            return true;
        }
    }
    false
}

/// Charges a source's bucket. A source without one takes the place that is soonest full: whoever has that has asked for the
/// least, and of a flood of sources that send once, nothing is lost by it.
#[inline(always)]
pub fn charge_source(set: &impl Buckets, limit: &LimitLine, hash: u64, now_ns: u64, cost_ns: u64) -> bool {
    for _ in 0..TRIES {
        let (way, old) = own(set, hash).unwrap_or_else(|| soonest(set, now_ns));
        let mine = if old.is_of(hash) { old } else { Bucket::EMPTY };
        let Some(debt) = limit.charged(mine, now_ns, cost_ns) else { return false };
        if set.replace(way, old, Bucket::new(hash, now_ns, debt)) {
            return true;
        }
    }
    false
}

/// The bucket of a source in its set.
#[inline(always)]
fn own(set: &impl Buckets, hash: u64) -> Option<(u32, Bucket)> {
    for way in 0..LIMIT_WAYS as u32 {
        let bucket = set.bucket(way);
        if bucket.is_of(hash) {
            return Some((way, bucket));
        }
    }
    None
}

/// The bucket that is full before the others.
#[inline(always)]
fn soonest(set: &impl Buckets, now_ns: u64) -> (u32, Bucket) {
    let mut found = (0, set.bucket(0));
    let mut least = found.1.debt(now_ns, MAX_WINDOW_NS);
    for way in 1..LIMIT_WAYS as u32 {
        let bucket = set.bucket(way);
        let debt = bucket.debt(now_ns, MAX_WINDOW_NS);
        if debt < least {
            (found, least) = ((way, bucket), debt);
        }
    }
    found
}

/// Tells the daemon of a source over a limit, unless it has been told a lot lately.
#[inline(always)]
fn notice(packet: &Packet, number: u32, table: &impl LimitTable) {
    let now_ns = table.nanoseconds(false);
    if charge_total(table, NOTICE_TOTAL, &NOTICES, now_ns, NOTICES.cost_ns(0)) {
        table.notice_excess(number, &packet.source);
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
#[expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]
mod tests;
