//! SYNs that come again: the way in for clients whose resets are filtered.
//!
//! A stack sends a SYN again after a second, and then after two more (RFC 6298 and what everybody does); a flood of
//! made-up addresses usually does not. A SYN is remembered by a keyed fingerprint of the connection's ends and its sequence number, and
//! goes on when it comes again 0.9 to 4 s later, once.
//!
//! A flood wants the same places. A fingerprint that is less than 1.5 s old never loses its place, so that the flood cannot
//! push an honest one out before its time; when all eight places of a line are that young, the newcomer finds none. Then a SYN is
//! remembered with the probability of a free place, the table's size over what comes in 1.5 s, each time that it is sent: under
//! more than 350,000 SYNs a second such clients get in later, by and by, and others are not concerned. A table in which the newest
//! always finds a place would serve nobody from some rate on. The line is chosen by the keyed hash, so nobody can aim at one.

use lb_common::{Flow, HashKey, SYN_LINE_WORDS};

use super::{Line, Memory, Segment, SynTables};
use crate::wire::protocol;

/// The least time after which a SYN that comes again is let in, in milliseconds.
const FIRST_MS: u64 = 900;
/// The longest.
const LAST_MS: u64 = 4000;
/// For how long nothing takes the place of a fingerprint, in milliseconds: stacks try again after a second.
const SAFE_MS: u64 = 1500;

/// Bits of a word that hold the time, in milliseconds; the others hold the fingerprint.
const TIME_BITS: u32 = 20;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// The keyed fingerprint of a SYN: its upper bits are kept, its lower ones choose the line.
#[inline(always)]
fn fingerprint(segment: &Segment, key: &HashKey) -> u64 {
    let flow = Flow {
        source: segment.source,
        destination: segment.destination,
        source_port: segment.source_port,
        destination_port: segment.destination_port,
        protocol: protocol::TCP,
    };
    let [.., last] = key.0;
    let mixed =
        (flow.hash(key) ^ last.wrapping_mul(u64::from(segment.sequence) | 1 << 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ mixed >> 32
}

/// Whether a SYN comes again at the time at which stacks send it again. It is remembered if it does not.
#[inline(always)]
pub(super) fn comes_again(segment: &Segment, key: &HashKey, memories: &impl SynTables) -> bool {
    let fingerprint = fingerprint(segment, key);
    let Some(line) = memories.line(Memory::Retries, fingerprint as u32) else { return false };
    let now = memories.now_ms() & TIME;
    let new = fingerprint & !TIME | now;
    for word in 0..SYN_LINE_WORDS as u32 {
        let old = line.load(word);
        if old & !TIME == fingerprint & !TIME {
            let age = age(old, now);
            let comes_again = (FIRST_MS..=LAST_MS).contains(&age);
            if age >= FIRST_MS {
                line.replace(word, old, if comes_again { 0 } else { new });
            }
            return comes_again;
        }
    }
    remember(&line, new, now);
    false
}

/// Puts a fingerprint where none is or the oldest one is, if that may lose its place.
#[inline(always)]
fn remember(line: &impl Line, new: u64, now: u64) {
    let (mut place, mut oldest, mut oldest_age) = (0, 0, 0);
    for word in 0..SYN_LINE_WORDS as u32 {
        let old = line.load(word);
        let age = if old == 0 { TIME } else { age(old, now) };
        if age > oldest_age {
            (place, oldest, oldest_age) = (word, old, age);
        }
    }
    if oldest_age >= SAFE_MS {
        line.replace(place, oldest, new);
    }
}

/// How old a word is, in milliseconds. Times repeat after 17 minutes, and an old word may look young for a moment then.
#[inline(always)]
const fn age(word: u64, now: u64) -> u64 {
    now.wrapping_sub(word) & TIME
}
