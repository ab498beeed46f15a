//! Fragmentation.

use std::ops::Range;

use etherparse::IpFragOffset;

use super::{Packet, Transport, network::Network};

impl Packet {
    /// The two fragments of a packet, the first with this many bytes of transport header and payload: a multiple of eight.
    ///
    /// The transport checksum is the whole packet's, as it is on a real wire.
    pub fn fragments(self, bytes: usize) -> [Self; 2] {
        [self.part(0..bytes), self.part(bytes..self.transport_bytes().len())]
    }

    /// A fragment of a packet, with these bytes of transport header and payload: from a multiple of eight to one, or to the end.
    pub fn part(&self, bytes: Range<usize>) -> Self {
        let whole = self.transport_bytes();
        let more = bytes.end < whole.len();
        let is_cut_well = |at: usize| at.is_multiple_of(8);
        assert!(is_cut_well(bytes.start) && (!more || is_cut_well(bytes.end)), "cut at multiples of eight bytes");
        self.fragment((bytes.start / 8) as u16, more, &whole[bytes])
    }

    fn fragment(&self, offset: u16, more: bool, part: &[u8]) -> Self {
        let mut fragment = self.clone();
        fragment.transport = Transport::Opaque(self.transport.number(&self.network));
        fragment.payload = part.to_vec();
        match &mut fragment.network {
            Network::V4 { header, .. } => {
                header.fragment_offset = IpFragOffset::try_new(offset).expect("13 bits");
                header.more_fragments = more;
                fragment
            }
            Network::V6 { .. } => fragment.fragment_header(offset, more),
        }
    }
}
