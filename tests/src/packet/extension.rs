//! IPv6 extension headers.

use etherparse::ip_number;

use super::Packet;

/// An extension header without its first byte, which names the one behind it.
#[derive(Clone, Debug)]
pub(super) struct Extension {
    pub(super) number: u8,
    rest: Vec<u8>,
}

/// The headers one behind the other, the last followed by `protocol`.
pub(super) fn chain(extensions: &[Extension], protocol: u8) -> Vec<u8> {
    let followers = extensions.iter().skip(1).map(|extension| extension.number).chain([protocol]);
    let headers = extensions.iter().zip(followers).map(|(extension, next)| [&[next], &extension.rest[..]].concat());
    headers.flatten().collect()
}

impl Packet {
    fn extended(mut self, number: u8, rest: Vec<u8>) -> Self {
        self.extensions.push(Extension { number, rest });
        self
    }

    /// A header of `8 * (units + 1)` bytes that is filled with one PadN option.
    fn padding(self, number: u8, units: u8) -> Self {
        let padding = usize::from(units) * 8 + 4;
        let rest = [&[units, 1, padding as u8][..], &vec![0; padding]].concat();
        self.extended(number, rest)
    }

    /// Adds hop-by-hop options of `8 * (units + 1)` bytes.
    pub fn hop_by_hop(self, units: u8) -> Self {
        self.padding(ip_number::IPV6_HEADER_HOP_BY_HOP.0, units)
    }

    /// Adds destination options of `8 * (units + 1)` bytes.
    pub fn destination_options(self, units: u8) -> Self {
        self.padding(ip_number::IPV6_DESTINATION_OPTIONS.0, units)
    }

    /// Adds a routing header that has no segments left.
    pub fn routing(self) -> Self {
        self.extended(ip_number::IPV6_ROUTE_HEADER.0, vec![0, 253, 0, 0, 0, 0, 0])
    }

    /// Adds a routing header of type 0 with one address.
    pub fn routing_type_0(self, segments_left: u8) -> Self {
        self.extended(ip_number::IPV6_ROUTE_HEADER.0, [&[2, 0, segments_left][..], &[0; 20]].concat())
    }

    /// Adds an authentication header with an integrity check value of `4 * words` bytes (RFC 4302).
    pub fn authentication(self, words: u8) -> Self {
        let rest = [vec![words + 1], vec![0; 10 + 4 * usize::from(words)]].concat();
        self.extended(ip_number::AUTHENTICATION_HEADER.0, rest)
    }

    /// Adds a fragment header; the offset is in units of eight bytes.
    pub fn fragment_header(self, offset: u16, more: bool) -> Self {
        let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
        self.extended(ip_number::IPV6_FRAGMENTATION_HEADER.0, vec![0, high, low, 0, 0, 4, 0xd2])
    }
}
