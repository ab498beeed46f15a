//! What there is in each /24, and whether there is anything in a /22.

use std::sync::atomic::AtomicU64;

use lb_common::{Hint, LIST_HINT_WORDS};

use super::{ListTables, Members, slots};
use crate::lists::{
    Lists, Memory, Net4, Region, content,
    memory::{load, store},
};

/// A word's number is that of its addresses without so many bits.
const WORD_SHIFT: u32 = 8 + Hint::PER_WORD.ilog2();

/// The words of hints that a change may concern.
#[derive(Default)]
pub(super) struct Touched(Vec<(u32, u32)>);

impl Touched {
    /// Notes the /24s from one up to another.
    pub(super) fn range(&mut self, from: u32, to: u32) {
        self.note(from / Hint::PER_WORD, to.div_ceil(Hint::PER_WORD));
    }

    /// Notes the /24s of long prefixes, which are in order.
    pub(super) fn nets(&mut self, nets: &[Net4]) {
        nets.iter().map(|net| net.address() >> WORD_SHIFT).for_each(|word| self.note(word, word + 1));
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
    /// Writes the hints that a change may concern, and then the sieve; unless they are `kept`, those of what is gone are cleared.
    pub(super) fn write_hints(&self, touched: &Touched, to: &Lists, kept: bool) {
        let [words, sieve] = [Region::Hints, Region::Sieve].map(|region| self.memory.words(region));
        let mut members = Members::new(to, content::LONG);
        for index in touched.0.iter().flat_map(|&(from, to)| from..to.min(LIST_HINT_WORDS)) {
            let first = index << WORD_SHIFT;
            let last = first | ((1 << WORD_SHIFT) - 1);
            let longs = members.between(Net4::new(first, 0), Net4::new(last, 0xff));
            let singles = longs.filter(|net| net.length() == 32);
            let singles = singles.fold(0, |bits, net| bits | 1 << ((net.address() >> 8) % Hint::PER_WORD));
            let wanted = Hint::word(singles, slots::in_use(&self.memory, index * Hint::PER_WORD));
            let old = load(words, index as usize);
            let new = if kept { old | wanted } else { wanted };
            if new != old {
                store(words, index as usize, new);
            }
            sift(sieve, index, new);
        }
    }
}

/// Writes the bits of the sieve for a word of hints.
fn sift(sieve: &[AtomicU64], index: u32, hints: u64) {
    let first = index * Hint::SIEVED;
    let (place, shift) = ((first / 64) as usize, first % 64);
    let old = load(sieve, place);
    let new = old & !(((1 << Hint::SIEVED) - 1) << shift) | Hint::sieved(hints) << shift;
    if new != old {
        store(sieve, place, new);
    }
}
