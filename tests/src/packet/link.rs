//! The Ethernet header and its VLAN tags.

use etherparse::{EtherType, ether_type};

/// The link layer of a packet in the making.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) source: [u8; 6],
    pub(super) destination: [u8; 6],
    /// Protocol and control word of each tag, the outermost first.
    pub(super) tags: Vec<(EtherType, u16)>,
}

impl Link {
    pub(super) const fn new(source: [u8; 6], destination: [u8; 6]) -> Self {
        Self { source, destination, tags: Vec::new() }
    }

    /// The header in front of an IP packet.
    pub(super) fn bytes(&self, is_v4: bool) -> Vec<u8> {
        let mut bytes = [self.destination, self.source].concat();
        for (protocol, control) in &self.tags {
            bytes.extend(protocol.0.to_be_bytes());
            bytes.extend(control.to_be_bytes());
        }
        let ether_type = if is_v4 { ether_type::IPV4 } else { ether_type::IPV6 };
        bytes.extend(ether_type.0.to_be_bytes());
        bytes
    }
}
