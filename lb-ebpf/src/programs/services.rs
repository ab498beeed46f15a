//! The tables of services in the kernel. Look-ups are global functions, for the same reason as `flows::sluice_steer`: they
//! have many ways out, and inlined, each would be followed through all that comes behind.

use aya_ebpf::{
    macros::map,
    maps::{Array, LpmTrie, lpm_trie::Key},
};
use lb_common::{Address, EndpointKey, PortBlock, ServiceLine, ServiceValue, SourceKey};
use lb_ebpf::service::lookup::{self, Endpoint, ServiceTable};

use crate::maps::SETTINGS;

#[map(name = "services")]
static SERVICES: Array<ServiceLine> = Array::pinned(lb_common::SERVICE_LINES, 0);
#[map(name = "port_ranges")]
static PORT_RANGES: Array<PortBlock> = Array::pinned(lb_common::MAX_PORT_BLOCKS, 0);
/// The sources that restricted services allow. Only the presence of an entry counts.
#[map(name = "sources")]
static SOURCES: LpmTrie<SourceKey, u64> = LpmTrie::pinned(lb_common::MAX_SOURCES, 0);

/// The `services` table and the blocks of ranges that it names.
pub(crate) struct KernelServices;

impl ServiceTable for KernelServices {
    #[inline(always)]
    fn service(&self, key: &EndpointKey) -> Option<&ServiceValue> {
        let [first, second] = ServiceLine::of(key);
        SERVICES.get(first)?.find(key).or_else(|| SERVICES.get(second)?.find(key))
    }

    #[inline(always)]
    fn service_in_block(&self, block: u16, port: u16) -> Option<ServiceValue> {
        ServiceValue::from_word(sluice_block(block.into(), port.into()))
    }
}

/// See [`PortBlock::find`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_block(block: u32, port: u32) -> u64 {
    PORT_RANGES.get(block).map_or(0, |block| block.find(port as u16))
}

/// What there is at an endpoint.
#[inline(always)]
pub(crate) fn at(endpoint: Endpoint<'_>) -> Option<ServiceValue> {
    let [upper, lower] = endpoint.address.halves();
    ServiceValue::from_word(sluice_service(upper, lower, endpoint.port.into(), endpoint.protocol.into()))
}

/// See [`lookup::find`]; 0 if there is nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_service(upper: u64, lower: u64, port: u32, protocol: u32) -> u64 {
    let endpoint =
        Endpoint { address: &Address::from_halves([upper, lower]), port: port as u16, protocol: protocol as u8 };
    let found = SETTINGS.get(0).and_then(|settings| lookup::find(endpoint, settings, &KernelServices));
    found.map_or(0, ServiceValue::word)
}

/// Whether a service allows a source.
#[inline(always)]
pub(crate) fn allows(service: u16, source: &Address) -> bool {
    let [upper, lower] = source.halves();
    sluice_allows(service.into(), upper, lower) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_allows(service: u32, upper: u64, lower: u64) -> u32 {
    let source = Address::from_halves([upper, lower]);
    u32::from(SOURCES.get(&Key::new(SourceKey::BITS, SourceKey::new(service as u16, &source))).is_some())
}

/// The slot of the backend that a QUIC server id belongs to.
#[inline(always)]
pub(crate) fn server(service: u16, id: u64) -> Option<u16> {
    KernelServices.service(&EndpointKey::server(service, id)).map(|value| value.id)
}
