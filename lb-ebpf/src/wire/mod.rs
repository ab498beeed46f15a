//! Headers as they stand on the wire, and nothing about what they mean to Sluice.
//!
//! Every structure is `repr(C, packed(2))` with raw integers in network byte order and accessors that convert: packet
//! data is 2-aligned, and a structure of alignment 1 compiles to loads of single bytes, which a measurement showed to
//! cost more than the rest of parsing. Protocol numbers come from the network-types crate.

pub mod checksum;
pub mod ethernet;
pub mod gue;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod ports;
pub mod quic;
pub mod tcp;
pub mod udp;

use network_types::ip::IpProto;

/// IP protocol numbers that the datapath knows.
pub mod protocol {
    use super::IpProto;

    /// ICMP for IPv4.
    pub const ICMP: u8 = IpProto::Icmp as u8;
    /// IPv4 in IP.
    pub const IPV4: u8 = IpProto::Ipv4 as u8;
    /// TCP.
    pub const TCP: u8 = IpProto::Tcp as u8;
    /// UDP.
    pub const UDP: u8 = IpProto::Udp as u8;
    /// IPv6 in IP.
    pub const IPV6: u8 = IpProto::Ipv6 as u8;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = IpProto::Ipv6Icmp as u8;
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = IpProto::HopOpt as u8;
    /// IPv6 routing header.
    pub const ROUTING: u8 = IpProto::Ipv6Route as u8;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = IpProto::Ipv6Frag as u8;
    /// IP authentication header.
    pub const AUTHENTICATION: u8 = IpProto::Ah as u8;
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: u8 = IpProto::Ipv6Opts as u8;
}
