//! Whether clients go on after their SYNs: of a sample of the flows, because every packet would be too much.
//!
//! A flow is in the sample by its keyed hash, so that nobody can choose to be. Its SYN leaves a mark, and the first other segment of
//! it takes the mark away; both are counted. What is counted of SYNs and not of the others is the rate at which handshakes are not
//! finished, a 64th of it.

use lb_common::{SYN_LINE_WORDS, SynEvent};

use super::{Line, Memory, SynTables};
use crate::wire::tcp::flags::{ACK, RST, SYN};

/// One flow in so many is in the sample, a power of two.
const ONE_IN: u64 = lb_common::SYN_SAMPLE_ONE_IN;

/// Whether a flow with this hash is in the sample.
#[inline(always)]
pub(super) const fn is_sampled(hash: u64) -> bool {
    hash & (ONE_IN - 1) == 0
}

/// Notes a segment of a flow in the sample, which `mark` tells from others.
#[inline(always)]
pub fn watch(mark: u64, service: u16, flags: u8, memories: &impl SynTables) {
    let Some(line) = memories.line(Memory::Samples, (mark >> 40) as u32) else { return };
    let word = (mark >> 32) as u32 & (SYN_LINE_WORDS as u32 - 1);
    let is_marked = line.load(word) == mark;
    if flags & (SYN | ACK) == SYN {
        // One that is sent again was counted.
        if !is_marked {
            line.store(word, mark);
            memories.count_syn(service, SynEvent::Opened);
        }
    } else if is_marked && flags & RST == 0 {
        // A reset may be what a host says to a SYN-ACK that it has not asked for.
        line.store(word, 0);
        memories.count_syn(service, SynEvent::Completed);
    }
}
