//! Addresses and prefixes of them, as the tables have them.

use ipnet::IpNet;
use lb_common::Address;

/// Whether this is more than one address.
pub fn is_prefix(network: IpNet) -> bool {
    network.prefix_len() < network.max_prefix_len()
}

/// The length of a prefix in bits of 128: IPv4 addresses are mapped ([`Address`]).
pub fn mapped_bits(network: IpNet) -> u32 {
    let before = if network.addr().is_ipv4() { Address::MAPPED_BITS } else { 0 };
    before + u32::from(network.prefix_len())
}
