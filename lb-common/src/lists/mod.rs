//! The firewall's lists as the datapath reads them.
//!
//! Problem: a kernel LPM trie takes about a microsecond a look-up with a million prefixes, loading ten million takes twenty
//! seconds, and both are system calls by the million. Mechanism: arrays that the daemon maps and writes with plain stores.
//!
//! - `sieve`: a bit per /22 of IPv4, set if there is anything in it. Most packets end there, in one access to half a megabyte,
//!   an eighth of what the hints take.
//! - `hints`: what there is in each /24 ([`Hint`]): the others read no table in which there is nothing for them.
//! - `dir` and `blocks`: for each /20, what covers all of it ([`Slot`]), or all but one prefix in it; or else a block of a
//!   slot for each of its /24s, which is one cache line. A slot has the class of the prefixes up to /24 that cover it, and
//!   which lengths from 25 to 31 there are.
//! - `singles`: entries of single addresses, sixteen to a 64-byte line ([`SingleEntry`]): cuckoo hashing with two lines for
//!   each key, of which the second is read only if the first has once been full.
//! - `lines_v4`: the same for entries from /25 to /31, and for single addresses whose class is not in the short entry; eight to
//!   a line ([`LongEntry`]).
//! - `guards` and `lines_v6`: two bits for each hashed prefix of IPv6, and behind them the [`Fingerprint`]s, four to a line, at
//!   each length in use. Another two bits say whether anything is inside a /32, which ends most look-ups in one access.
//! - `classes`: what an entry means ([`ListClass`]): which lists it is on, until when, and what else covers it.
//!
//! Every word is valid by itself, so that a reader needs no lock: what a word names is written before it, and reused only
//! after every packet that may have seen it is through. Hashes are keyed, with a key made anew with each set of tables, so
//! that nobody can aim at one line. Trade-off: the daemon keeps a sorted copy of all prefixes.

mod class;
mod head;
mod hint;
mod single;
mod slot;
mod v4;
mod v6;

pub use self::{
    class::{ListClass, ListMatch, MAX_CHAIN, MAX_CLASSES},
    head::{LIST_LENGTH_WORDS, LIST_SHORT_LENGTH_WORDS, ListHead},
    hint::{Hint, LIST_HINT_WORDS, LIST_SIEVE_WORDS},
    single::{LEAST_SINGLE_LINES, Single, SingleEntry},
    slot::{LIST_BLOCK_WORDS, LIST_DIR_WORDS, Slot, SlotPlace},
    v4::{LIST_LINE_WORDS, LongEntry},
    v6::{FINGERPRINTS_PER_LINE, Fingerprint, Guard},
};
