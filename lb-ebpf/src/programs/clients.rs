//! The hash of services that tell flows apart by client, as a function of its own.

use lb_common::{Address, Flow, ServiceValue};

use crate::maps::SETTINGS;

/// [`ServiceValue::hash`] as a global function: inlined beside the hash of ordinary flows, it would have the verifier
/// follow all that comes behind it once more. The addresses come in halves; `rest` is `port << 32 | protocol << 24 |
/// client_bits << 16 | flags`, of the service's port.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_client_hash(
    source_high: u64,
    source_low: u64,
    destination_high: u64,
    destination_low: u64,
    rest: u64,
) -> u64 {
    let Some(settings) = SETTINGS.get(0) else { return 0 };
    let service = ServiceValue { flags: rest as u16, client_bits: (rest >> 16) as u8, ..ServiceValue::default() };
    let flow = Flow {
        source: Address::from_halves([source_high, source_low]),
        destination: Address::from_halves([destination_high, destination_low]),
        source_port: 0,
        destination_port: (rest >> 32) as u16,
        protocol: (rest >> 24) as u8,
    };
    service.hash(&flow, &settings.hash_key)
}
