//! What there is in a /24 of IPv4, and whether there is anything in a /22.

/// Words of `sieve`: a bit for each /22.
pub const LIST_SIEVE_WORDS: u32 = (1 << 22) / 64;

/// Words of `hints`, each of 32 /24s.
pub const LIST_HINT_WORDS: u32 = (1 << 24) / Hint::PER_WORD;

/// What there is in a /24, so that a look-up reads only what leads somewhere: two bits, in the halves of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint(u64);

impl Hint {
    /// /24s of a word.
    pub const PER_WORD: u32 = 32;
    /// /22s of a word.
    pub const SIEVED: u32 = Self::PER_WORD / 4;

    const SINGLE: u64 = 1;
    const SLOT: u64 = 1 << Self::PER_WORD;

    /// The word of 32 /24s, a bit each: whether there are entries for single addresses, and whether its slot says anything.
    pub const fn word(singles: u32, slots: u32) -> u64 {
        (slots as u64) << Self::PER_WORD | singles as u64
    }

    /// Of a word, a bit for each /22: whether there is anything in it.
    pub const fn sieved(word: u64) -> u64 {
        let (mut bits, mut slash22) = (0, 0);
        while slash22 < Self::SIEVED {
            let any = word >> (4 * slash22) & 0xf_0000_000f != 0;
            bits |= (any as u64) << slash22;
            slash22 += 1;
        }
        bits
    }

    /// The hint of a /24 in its word.
    #[inline(always)]
    pub const fn of_word(word: u64, slash24: u32) -> Self {
        Self(word >> (slash24 % Self::PER_WORD))
    }

    /// Whether there is nothing.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 & (Self::SINGLE | Self::SLOT) == 0
    }

    /// Whether there are entries for single addresses.
    #[inline(always)]
    pub const fn has_singles(self) -> bool {
        self.0 & Self::SINGLE != 0
    }

    /// Whether its slot says anything.
    #[inline(always)]
    pub const fn has_slot(self) -> bool {
        self.0 & Self::SLOT != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_tell_slots_and_single_addresses_apart() {
        let word = Hint::word(0b1001, 0b1010);
        let hint = |slash24| Hint::of_word(word, slash24);
        let told = |hint: Hint| (hint.has_singles(), hint.has_slot(), hint.is_empty());
        assert_eq!(told(hint(64)), (true, false, false));
        assert_eq!(told(hint(65)), (false, true, false));
        assert_eq!(told(hint(66)), (false, false, true));
        assert_eq!(told(hint(67)), (true, true, false));
        assert_eq!(told(Hint::of_word(Hint::word(0, 1 << 31), 31)), (false, true, false));
        assert_eq!(Hint::sieved(Hint::word(1 << 4, 1 << 31)), 0b1000_0010);
        assert_eq!(Hint::sieved(Hint::word(1 << 3, 1 << 8)), 0b101);
    }
}
