//! Port ranges of the services at one address.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ServiceValue;

/// Ranges of a line.
pub const RANGES_PER_LINE: usize = 5;

/// Lines of a block.
pub const LINES_PER_BLOCK: usize = 4;

/// Ranges of a block: a service with any port takes one of them, too.
pub const RANGES_PER_BLOCK: usize = RANGES_PER_LINE * LINES_PER_BLOCK;

/// Ports from one to another, both included.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct PortSpan {
    /// The first port, host byte order.
    pub first: u16,
    /// The last port, host byte order.
    pub last: u16,
}

impl PortSpan {
    /// All ports, port 0 too.
    pub const ANY: Self = Self { first: 0, last: u16::MAX };

    /// Whether a port is one of these.
    #[inline(always)]
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// Ranges and their services: one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PortLine {
    values: [ServiceValue; RANGES_PER_LINE],
    spans: [PortSpan; RANGES_PER_LINE],
    zero: u32,
}

const _: () = assert!(size_of::<PortLine>() == 64, "a line of ranges is one cache line");

/// An element of the `port_ranges` array: the ranges of one address and protocol.
///
/// A block is never patched: a changed one is written into a place that no entry names, and then the entry is switched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct PortBlock([PortLine; LINES_PER_BLOCK]);

impl PortBlock {
    /// A block of these ranges, which do not overlap except that [`PortSpan::ANY`] may be the last; the first
    /// [`RANGES_PER_BLOCK`] of them.
    pub fn new(ranges: impl IntoIterator<Item = (PortSpan, ServiceValue)>) -> Self {
        let mut block = Self::default();
        let places = block.0.iter_mut().flat_map(|line| line.spans.iter_mut().zip(&mut line.values));
        for ((span, value), range) in places.zip(ranges) {
            (*span, *value) = range;
        }
        block
    }

    /// The ranges.
    pub fn iter(&self) -> impl Iterator<Item = (PortSpan, ServiceValue)> {
        let places = self.0.iter().flat_map(|line| line.spans.iter().zip(&line.values));
        places.filter(|(_, value)| value.word() != 0).map(|(span, value)| (*span, *value))
    }

    /// The word of the service whose range a port is in; 0 if it is in none. See [`ServiceValue::from_word`].
    ///
    /// A vacant place has port 0 and the word 0, so a search that meets it has the right answer.
    #[inline(always)]
    pub fn find(&self, port: u16) -> u64 {
        for line in &self.0 {
            for (span, value) in line.spans.iter().zip(&line.values) {
                if span.contains(port) {
                    return value.word();
                }
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn service(id: u16) -> ServiceValue {
        ServiceValue { ring: 0, id, flags: 0, ring_bits: 12, client_bits: 0 }
    }

    const fn span(first: u16, last: u16) -> PortSpan {
        PortSpan { first, last }
    }

    fn found(block: &PortBlock, port: u16) -> Option<u16> {
        ServiceValue::from_word(block.find(port)).map(|value| value.id)
    }

    #[test]
    fn a_port_is_found_in_its_range_and_in_no_other() {
        let block = PortBlock::new([(span(80, 90), service(1)), (span(100, 100), service(2))]);
        for (port, expected) in
            [(0, None), (79, None), (80, Some(1)), (90, Some(1)), (91, None), (100, Some(2)), (65535, None)]
        {
            assert_eq!(found(&block, port), expected, "port {port}");
        }
    }

    #[test]
    fn any_port_comes_last_and_takes_the_rest() {
        let block = PortBlock::new([(span(80, 90), service(1)), (PortSpan::ANY, service(2))]);
        for (port, expected) in [(0, 2), (79, 2), (80, 1), (91, 2), (65535, 2)] {
            assert_eq!(found(&block, port), Some(expected), "port {port}");
        }
    }

    #[test]
    fn a_full_block_is_searched_to_its_end() {
        let ranges =
            (0..RANGES_PER_BLOCK as u16).map(|number| (span(10 * number + 1, 10 * number + 5), service(number)));
        let block = PortBlock::new(ranges.clone());
        assert!(block.iter().eq(ranges));
        for number in 0..RANGES_PER_BLOCK as u16 {
            assert_eq!(found(&block, 10 * number + 5), Some(number));
            assert_eq!(found(&block, 10 * number + 6), None);
        }
    }
}
