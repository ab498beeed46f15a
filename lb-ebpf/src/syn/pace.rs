//! How much of something there may be in a second.

use lb_common::{HashKey, SYN_LINE_WORDS};

use super::{Line, Memory, SynTables, sources};

/// A counter that begins anew with each second: the second in the upper half of its word, the count in the lower.
///
/// Two CPUs that count at the same time may count one for both. So there may be as many times the limit as there are CPUs,
/// and there are never fewer than the limit.
pub(super) struct Pace {
    memory: Memory,
    line: u32,
    word: u32,
}

/// The last bits of a number, which choose a word of a line.
const WORDS: u32 = SYN_LINE_WORDS as u32 - 1;

impl Pace {
    /// That of a service.
    #[inline(always)]
    pub(super) fn of_service(service: u16) -> Self {
        Self { memory: Memory::Paces, line: u32::from(service) >> WORDS.count_ones(), word: u32::from(service) & WORDS }
    }

    /// That of the prefix that a source is in: an IPv4 /24, an IPv6 /56. Some prefixes share one, and nobody knows which.
    #[inline(always)]
    pub(super) fn of_prefix(source: u64, key: &HashKey) -> Self {
        let place = sources::place(source >> 8, key);
        Self { memory: Memory::Answers, line: place >> WORDS.count_ones(), word: place & WORDS }
    }

    /// Counts one more, unless that would be too many for this second.
    #[inline(always)]
    pub(super) fn spend(&self, limit: u32, memories: &impl SynTables) -> bool {
        let Some(line) = memories.line(self.memory, self.line) else { return false };
        let second = (memories.now_ms() / 1000) << 32;
        let spent = line.load(self.word);
        let spent = if spent >> 32 << 32 == second { spent } else { second };
        if spent as u32 >= limit {
            return false;
        }
        line.store(self.word, spent + 1);
        true
    }
}
