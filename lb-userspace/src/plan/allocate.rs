//! Room in the tables: service ids, backend slots, and regions of the `rings` array.

use std::{collections::BTreeSet, ops::Range};

/// The numbers of a range that nobody uses, lowest first.
#[derive(Debug)]
pub(super) struct Free {
    used: BTreeSet<u32>,
    next: u32,
    end: u32,
}

impl Free {
    pub(super) fn new(range: Range<u32>, used: impl IntoIterator<Item = u32>) -> Self {
        Self { used: used.into_iter().collect(), next: range.start, end: range.end }
    }

    /// Takes one.
    pub(super) fn take(&mut self) -> Option<u32> {
        while self.next < self.end {
            let number = self.next;
            self.next += 1;
            if self.used.insert(number) {
                return Some(number);
            }
        }
        None
    }
}

/// Regions of the `rings` array, in elements.
///
/// A region that has just been left may still be read by a packet on its way through the datapath, so new regions are
/// looked for from behind the last one given out: a region is reused only after the search has gone all around.
#[derive(Clone, Debug, Default)]
pub(super) struct Regions {
    cursor: u32,
}

impl Regions {
    /// A place for `length` elements in an array of `end` that does not overlap any of `used`.
    pub(super) fn take(&mut self, length: u32, used: &[Range<u32>], end: u32) -> Option<u32> {
        let start = self.search(self.cursor, length, used, end).or_else(|| self.search(0, length, used, end))?;
        self.cursor = start + length;
        Some(start)
    }

    fn search(&self, from: u32, length: u32, used: &[Range<u32>], end: u32) -> Option<u32> {
        let mut start = from;
        while start.checked_add(length)? <= end {
            match used.iter().find(|region| region.start < start + length && start < region.end) {
                Some(region) => start = region.end,
                None => return Some(start),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_lowest_first_and_never_twice() {
        let mut free = Free::new(0..4, [1]);
        assert_eq!([free.take(), free.take(), free.take(), free.take()], [Some(0), Some(2), Some(3), None]);
    }

    #[test]
    fn a_region_that_was_left_is_reused_only_after_a_whole_round() {
        let mut regions = Regions::default();
        assert_eq!(regions.take(4, &[], 12), Some(0));
        // The first region is free again, but the search goes on behind it.
        assert_eq!(regions.take(4, &[], 12), Some(4));
        assert_eq!(regions.take(4, std::slice::from_ref(&(4..8)), 12), Some(8));
        assert_eq!(regions.take(4, std::slice::from_ref(&(8..12)), 12), Some(0));
        assert_eq!(regions.take(8, std::slice::from_ref(&(0..4)), 8), None);
    }
}
