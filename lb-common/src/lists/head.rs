//! What a set of list tables says of itself.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words that hold the lengths of IPv6 prefixes in use, a byte each, and one byte that ends them: first those below
/// [`ListHead::BLOCK_BITS`], then the others.
pub const LIST_LENGTH_WORDS: usize = LIST_SHORT_LENGTH_WORDS + 13;

/// How many of them hold lengths below [`ListHead::BLOCK_BITS`].
pub const LIST_SHORT_LENGTH_WORDS: usize = ListHead::BLOCK_BITS as usize / 8;

/// The one element of the `list_head` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListHead {
    /// The key of the hash of IPv4 entries.
    pub key_v4: [u64; 2],
    /// The key of the bijection of single addresses.
    pub key_singles: [u64; 2],
    /// The key of the fingerprints of IPv6 prefixes.
    pub key_v6: [u64; 18],
    /// Lines for single addresses of IPv4.
    pub singles: u64,
    /// Lines for other long entries of IPv4.
    pub lines_v4: u64,
    /// Lines for fingerprints.
    pub lines_v6: u64,
    /// There are `1 << guard_bits` bits that say which prefixes of IPv6 there may be.
    pub guard_bits: u64,
    /// The lengths of IPv6 prefixes in use, plus one, in no order; 0 behind the last of each of the two kinds. New ones
    /// are appended.
    pub lengths_v6: [u64; LIST_LENGTH_WORDS],
}

impl ListHead {
    /// Where `lengths_v6` begins, in words.
    pub const LENGTHS_WORD: usize = 26;

    /// The head of tables with keys made from some seed.
    pub fn new(seed: [u64; 2], singles: u32, lines_v4: u32, lines_v6: u32, guard_bits: u32) -> Self {
        let (first, second) = (crate::HashKey::expand(seed).0, crate::HashKey::expand([seed[1], !seed[0]]).0);
        let mut key_v6 = [0; 18];
        key_v6[..9].copy_from_slice(&first[2..]);
        key_v6[9..].copy_from_slice(&second[2..]);
        Self {
            key_v4: [first[0], first[1] | 1],
            key_singles: [second[0], second[1]],
            key_v6,
            singles: singles.into(),
            lines_v4: lines_v4.into(),
            lines_v6: lines_v6.into(),
            guard_bits: guard_bits.into(),
            lengths_v6: [0; LIST_LENGTH_WORDS],
        }
    }
}

/// The two lines of `lines` that a hash names.
#[inline(always)]
pub(super) const fn two_lines(hash: u64, lines: u64) -> [u32; 2] {
    [(((hash >> 32) * lines) >> 32) as u32, (((hash & 0xffff_ffff) * lines) >> 32) as u32]
}
