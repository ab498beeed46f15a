//! The bits for each /24: set if anything covers any of it, and if its slot says anything.

use lb_common::LIST_BITS_WORDS;

use super::{ListTables, Members, slots};
use crate::lists::{
    Lists, Memory, Net4, Region, content,
    memory::{load, store},
};

/// The words of bits that a change may concern.
#[derive(Default)]
pub(super) struct Touched(Vec<(u32, u32)>);

impl Touched {
    /// Notes the /24s from one up to another.
    pub(super) fn range(&mut self, from: u32, to: u32) {
        self.note(from / 64, to.div_ceil(64));
    }

    /// Notes the /24s of long prefixes, which are in order.
    pub(super) fn nets(&mut self, nets: &[Net4]) {
        nets.iter().map(|net| net.address() >> 14).for_each(|word| self.note(word, word + 1));
    }

    fn note(&mut self, from: u32, to: u32) {
        match self.0.last_mut() {
            Some(last) if last.0 <= from && from <= last.1 => last.1 = last.1.max(to),
            _ => self.0.push((from, to)),
        }
    }

    /// Sorts what was noted, each word once.
    pub(super) fn finish(&mut self) {
        self.0.sort_unstable();
        for (from, to) in std::mem::take(&mut self.0) {
            self.note(from, to);
        }
    }
}

impl<M: Memory> ListTables<M> {
    /// Sets the bits that must be set; and clears the others, unless `keeps`.
    pub(super) fn set_bits(&self, touched: &Touched, to: &Lists, keeps: bool) {
        let [covers, bits] = [Region::Covers, Region::Bits].map(|region| self.memory.words(region));
        let mut members = Members::new(to, content::LONG);
        for index in touched.0.iter().flat_map(|&(from, to)| from..to.min(LIST_BITS_WORDS)) {
            let (first, end) = (Net4::new(index << 14, 0), Net4::new(index << 14 | 0x3fff, 0xff));
            let covered = slots::covered(&self.memory, index * 64);
            let any = members.between(first, end).fold(covered, |bits, net| bits | 1 << (net.address() >> 8 & 63));
            for (words, wanted) in [(covers, covered), (bits, any)] {
                let old = load(words, index as usize);
                let new = if keeps { old | wanted } else { wanted };
                if new != old {
                    store(words, index as usize, new);
                }
            }
        }
    }
}
