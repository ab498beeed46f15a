//! Sources that have proved themselves, for a time: in sets of four, each a cache line.
//!
//! An entry is two words: whose it is, and `{second of the proof: 32 bits, second: 16 bits, SYNs in that second: 16 bits}`.
//! The time runs from the proof and no packet lengthens it; it is longer than any cookie is good for, so a reset that is sent
//! again later finds its cookie expired. When a set is full, the proof that is longest ago makes room.

use lb_common::{Address, HashKey, SynSettings};

use super::{Line, Memory, SynTables};

/// Entries of a set.
const WAYS: u32 = 4;

/// For so long proofs of a source that has proved itself count as well, in seconds.
const JUST_NOW_S: u64 = 2;

/// What is known of a source.
pub(super) enum Standing {
    /// Nothing, or no longer.
    Unknown,
    /// It has proved itself.
    Welcome,
    /// It has proved itself, and has sent as many SYNs in this second as it may.
    TooMany,
}

/// Who a source is: an IPv4 address, or the /64 of an IPv6 address, which is one host's or one network's.
///
/// An IPv4 address takes the number of a multicast network, which no source has.
#[inline(always)]
pub(super) const fn identity(source: &Address) -> u64 {
    let [upper, lower] = source.halves();
    if source.is_v4() { 0xff00_0000 << 32 | lower & 0xffff_ffff } else { upper }
}

/// Where something is that is known by a number: a keyed hash, of which every bit is good.
#[inline(always)]
pub(super) const fn place(number: u64, key: &HashKey) -> u32 {
    let [first, second, ..] = key.0;
    let (upper, lower) = (number >> 32, number & 0xffff_ffff);
    // The scheme of the flow hash: strongly universal in the upper half.
    (first.wrapping_add(upper).wrapping_mul(second.wrapping_add(lower)) >> 32) as u32
}

/// What is known of a source that sends a SYN, which is counted.
#[inline(always)]
pub(super) fn ask(source: u64, settings: &SynSettings, key: &HashKey, memories: &impl SynTables) -> Standing {
    let Some(line) = memories.line(Memory::Sources, place(source, key)) else { return Standing::Unknown };
    let Some(way) = find(&line, |who, _| who == source) else { return Standing::Unknown };
    let now_s = memories.now_ms() / 1000;
    let old = line.load(2 * way + 1);
    if !is_live(old, now_s, settings) {
        return Standing::Unknown;
    }
    let second = (now_s & 0xffff) << 16;
    let spent = if old & 0xffff_0000 == second { old & 0xffff } else { 0 };
    if spent >= u64::from(settings.source_syns) {
        return Standing::TooMany;
    }
    // A lost race means that another CPU has counted one for both.
    line.replace(2 * way + 1, old, old >> 32 << 32 | second | (spent + 1) & 0xffff);
    Standing::Welcome
}

/// Lets a source in, whose time goes on as it was if it is in already. Whether the proof is one that was asked for: who is let
/// in while several of his SYNs are on their way proves himself for each of them.
#[inline(always)]
pub(super) fn admit(source: u64, settings: &SynSettings, key: &HashKey, memories: &impl SynTables) -> bool {
    let Some(line) = memories.line(Memory::Sources, place(source, key)) else { return false };
    let now_s = memories.now_ms() / 1000;
    let own = find(&line, |who, _| who == source);
    if let Some(way) = own {
        let state = line.load(2 * way + 1);
        if is_live(state, now_s, settings) {
            return now_s < (state >> 32) + JUST_NOW_S;
        }
    }
    let free = own.or_else(|| find(&line, |_, state| !is_live(state, now_s, settings)));
    let way = free.unwrap_or_else(|| longest_ago(&line));
    // Nobody takes the new name for that of the old proof.
    line.store(2 * way + 1, 0);
    line.store(2 * way, source);
    line.store(2 * way + 1, now_s << 32);
    true
}

/// The first entry that is as wanted.
#[inline(always)]
fn find(line: &impl Line, is_wanted: impl Fn(u64, u64) -> bool) -> Option<u32> {
    (0..WAYS).find(|way| is_wanted(line.load(2 * way), line.load(2 * way + 1)))
}

#[inline(always)]
fn longest_ago(line: &impl Line) -> u32 {
    let (mut oldest, mut since) = (0, line.load(1));
    for way in 1..WAYS {
        let state = line.load(2 * way + 1);
        if state < since {
            (oldest, since) = (way, state);
        }
    }
    oldest
}

/// Whether a proof still counts. A later one is no error: another CPU has been there since, a second later.
#[inline(always)]
fn is_live(state: u64, now_s: u64, settings: &SynSettings) -> bool {
    state != 0 && now_s < (state >> 32) + u64::from(settings.keep_s)
}
