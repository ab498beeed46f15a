//! Internet checksums (RFC 1071), changed incrementally (RFC 1624, equation 3).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Four bytes to be summed up.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Word(pub u32);

/// A change of bytes that a checksum covers: collects what was replaced by what, then turns an old checksum into the
/// new one.
///
/// Words go in as they stand on the wire, whatever the machine's byte order: a one's complement sum does not mind
/// (RFC 1071, section 2 (B)).
#[derive(Clone, Copy, Debug, Default)]
pub struct Update(u64);

impl Update {
    /// Nothing has changed yet.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(0)
    }

    /// A 16-bit word became another.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, old: u16, new: u16) -> Self {
        Self(self.0.wrapping_add(!old as u64).wrapping_add(new as u64))
    }

    /// A 32-bit word became another.
    #[inline(always)]
    #[must_use]
    pub const fn double_word(self, old: u32, new: u32) -> Self {
        Self(self.0.wrapping_add(!old as u64).wrapping_add(new as u64))
    }

    /// An IPv6 address became another.
    #[inline(always)]
    #[must_use]
    pub const fn quad(self, old: [u32; 4], new: [u32; 4]) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (old, new);
        self.double_word(a, e).double_word(b, f).double_word(c, g).double_word(d, h)
    }

    /// Both changes.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// What a checksum becomes.
    #[inline(always)]
    pub const fn apply(self, checksum: u16) -> u16 {
        !fold(self.0.wrapping_add(!checksum as u64))
    }

    /// What a UDP checksum becomes: 0 means that there is none and stays (RFC 768), a computed 0 is sent as all ones.
    #[inline(always)]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        if checksum == 0 {
            return 0;
        }
        match self.apply(checksum) {
            0 => 0xffff,
            other => other,
        }
    }
}

/// Adds the carries of a one's complement sum back in until 16 bits are left.
#[inline(always)]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32).wrapping_add(sum & 0xffff_ffff);
    let sum = (sum >> 16).wrapping_add(sum & 0xffff);
    let sum = (sum >> 16).wrapping_add(sum & 0xffff);
    ((sum >> 16) as u16).wrapping_add(sum as u16)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071, section 4.1, as slowly as it can be said.
    fn naive(words: &[u16]) -> u16 {
        let mut sum: u32 = words.iter().map(|&w| u32::from(w)).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    proptest! {
        #[test]
        fn an_update_equals_a_new_computation(mut words in prop::collection::vec(any::<u16>(), 4..40), new: [u16; 3], at in 0usize..2) {
            // At least one word must not be zero, before and after: the all-zero packet has two checksums.
            words.push(1);
            let old_checksum = naive(&words);
            let pair = |w: &[u16], i: usize| u32::from(w[i]) | u32::from(w[i + 1]) << 16;
            let old_pair = pair(&words, at + 1);
            let update = Update::new().word(words[at], new[0]);
            words[at] = new[0];
            words[at + 1] = new[1];
            words[at + 2] = new[2];
            let update = update.double_word(old_pair, pair(&words, at + 1));
            prop_assert_eq!(update.apply(old_checksum), naive(&words));
        }

        #[test]
        fn folding_keeps_the_sum(sum: u64) {
            let folded = u64::from(fold(sum));
            prop_assert_eq!(folded % 0xffff, sum % 0xffff);
            prop_assert_eq!(folded == 0, sum == 0);
        }
    }

    #[test]
    fn an_absent_udp_checksum_stays_absent() {
        assert_eq!(Update::new().word(1, 2).apply_udp(0), 0);
        // ~0x0001 + ~0x0000 + 0xfffe sums to all ones: the computed 0 is sent as 0xffff.
        assert_ne!(Update::new().word(0, 1).apply_udp(1), 0);
    }
}
