//! Looking up an endpoint in the `services` table.

use lb_common::{Address, EndpointKey, Features, ServiceValue, Settings};

/// What a look-up needs.
pub trait ServiceTable {
    /// The service with exactly this key.
    fn service(&self, key: &EndpointKey) -> Option<&ServiceValue>;

    /// The service whose range in a block a port is in: what [`lb_common::PortBlock::find`] says.
    fn service_in_block(&self, block: u16, port: u16) -> Option<ServiceValue>;
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// The address.
    pub address: &'a Address,
    /// The port; 0 where there are no ports.
    pub port: u16,
    /// The IP protocol number.
    pub protocol: u8,
}

/// What there is at an endpoint: at exactly this address, or else in the longest prefix that has anything there.
#[inline(always)]
pub fn find(endpoint: Endpoint<'_>, settings: &Settings, table: &impl ServiceTable) -> Option<ServiceValue> {
    let found = in_network(endpoint, *endpoint.address, 0, table);
    if found.is_some() || settings.features & Features::PREFIXES == 0 {
        return found;
    }
    for &bits in settings.prefix_bits(endpoint.address) {
        if bits == 0 {
            break;
        }
        let network = endpoint.address.prefix(bits);
        if settings.services.may_have(&network)
            && let Some(found) = in_network(endpoint, network, bits.into(), table)
        {
            return Some(found);
        }
    }
    None
}

/// What there is at an endpoint of a network: its exact port first, then the ranges, then any port.
#[inline(always)]
fn in_network(endpoint: Endpoint<'_>, network: Address, bits: u32, table: &impl ServiceTable) -> Option<ServiceValue> {
    let at = |port| table.service(&EndpointKey::in_network(network, bits, port, endpoint.protocol));
    let found = *at(endpoint.port).or_else(|| at(0))?;
    if found.is_block() { table.service_in_block(found.ring, endpoint.port) } else { Some(found) }
}
