//! The frame of a packet that somebody asks about: the least that the datapath takes for one.

use std::net::{IpAddr, SocketAddr};

use lb_common::{Address, Mac};
use lb_ebpf::wire::{
    ethernet, icmp,
    ipv4::Ipv4,
    ipv6::Ipv6,
    protocol,
    tcp::flags::{ACK, SYN},
};
use zerocopy::IntoBytes;

use crate::api::types::ExplainProtocol;

/// A packet without a payload.
#[derive(Clone, Copy, Debug)]
pub(in crate::daemon) struct Probe {
    pub(in crate::daemon) from: IpAddr,
    pub(in crate::daemon) to: IpAddr,
    /// Source and destination; 0 where there are none.
    pub(in crate::daemon) ports: (u16, u16),
    pub(in crate::daemon) protocol: ExplainProtocol,
    /// A segment of an established TCP connection, instead of one that opens it.
    pub(in crate::daemon) established: bool,
}

impl Probe {
    /// The packet in words.
    pub(super) fn words(&self) -> String {
        let ends = || {
            let (source, destination) = self.ports;
            format!("from {} to {}", SocketAddr::new(self.from, source), SocketAddr::new(self.to, destination))
        };
        match self.protocol {
            ExplainProtocol::Tcp if self.established => format!("a TCP segment of a connection {}", ends()),
            ExplainProtocol::Tcp => format!("a TCP SYN {}", ends()),
            ExplainProtocol::Udp => format!("a UDP datagram {}", ends()),
            ExplainProtocol::Icmp => format!("an echo request from {} to {}", self.from, self.to),
        }
    }

    /// The frame, as a neighbour sends it to this MAC address. Checksums of the transport are left out: the datapath does not
    /// look at them.
    pub(super) fn frame(&self, mac: Mac) -> Vec<u8> {
        let transport = self.transport();
        let (source, destination) = (Address::from(self.from), Address::from(self.to));
        let (number, bytes) = (self.number(), transport.len() as u16);
        let (ether_type, network) = if self.from.is_ipv4() {
            let header = Ipv4::encapsulation(source.low(), destination.low(), number, bytes, 0);
            (ethernet::IPV4, header.as_bytes().to_vec())
        } else {
            let header = Ipv6::encapsulation(source.0, destination.0, number, bytes, 0, 0);
            (ethernet::IPV6, header.as_bytes().to_vec())
        };
        let mut addresses = vec![0; ethernet::ADDRESSES_BYTES as usize];
        addresses[..mac.bytes().len()].copy_from_slice(&mac.bytes());
        [addresses, ether_type.as_bytes().to_vec(), network, transport].concat()
    }

    fn number(&self) -> u8 {
        match self.protocol {
            ExplainProtocol::Tcp => protocol::TCP,
            ExplainProtocol::Udp => protocol::UDP,
            ExplainProtocol::Icmp if self.from.is_ipv4() => protocol::ICMP,
            ExplainProtocol::Icmp => protocol::ICMPV6,
        }
    }

    fn transport(&self) -> Vec<u8> {
        let ports = [self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes()].concat();
        match self.protocol {
            ExplainProtocol::Tcp => {
                let flags = if self.established { ACK } else { SYN };
                // Five words of header, and a window of some kilobytes.
                [&ports[..], &[0; 8], &[5 << 4, flags, 0x20, 0], &[0; 4]].concat()
            }
            ExplainProtocol::Udp => [&ports[..], &[0, 8, 0, 0]].concat(),
            ExplainProtocol::Icmp => {
                let kind = if self.from.is_ipv4() { icmp::ECHO_REQUEST } else { icmp::ECHO_REQUEST_V6 };
                [&[kind], &[0; 7][..]].concat()
            }
        }
    }
}
