//! Fragmentation.

use etherparse::IpFragOffset;

use super::{Packet, Transport, network::Network};

impl Packet {
    /// The two fragments of a packet, the first with this many bytes of transport header and payload: a multiple of eight.
    ///
    /// The transport checksum is the whole packet's, as it is on a real wire.
    pub fn fragments(self, bytes: usize) -> [Self; 2] {
        assert!(bytes.is_multiple_of(8), "fragments are cut at multiples of eight bytes");
        let whole = self.transport_bytes();
        let (first, second) = whole.split_at(bytes);
        [self.fragment(0, true, first), self.fragment((bytes / 8) as u16, false, second)]
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
