//! Which service a packet is for, and whether its source may use it.
//!
//! The exact port is looked up first, then the ranges of ports, then any port; and all of that first at the exact
//! address, then in the prefixes that it is in, the longest first ([`lookup`]).

pub mod lookup;

use lb_common::{DropReason, Features, ServiceFlags, ServiceValue, Settings};

use self::lookup::Endpoint;
use crate::{
    parse::{Packet, Transport},
    tables::Tables,
    wire::protocol,
};

/// The service that the packet is for. `None` if it is not for us.
///
/// A packet with a defect has no service; if its address is ours, the defect is the reason to drop it. Most strangers are
/// told by their destination address alone.
#[inline(always)]
pub fn find(packet: &Packet, settings: &Settings, tables: &impl Tables) -> Result<Option<ServiceValue>, DropReason> {
    if !may_have(packet, settings) {
        return Ok(None);
    }
    if let Some(defect) = packet.defect {
        return if tables.service_at(address(packet)).is_some() { Err(defect) } else { Ok(None) };
    }
    Ok(match packet.transport {
        Transport::Tcp { .. } | Transport::Udp => {
            let (port, protocol) = (packet.destination_port, packet.protocol);
            tables.service_at(Endpoint { address: &packet.destination, port, protocol })
        }
        Transport::EchoRequest => tables.service_at(address(packet)),
        // What an error is about is not known before what it quotes has been read.
        Transport::Error | Transport::Other => None,
    })
}

/// Whether the packet's destination address is a service's.
#[inline(always)]
pub fn is_address(packet: &Packet, settings: &Settings, tables: &impl Tables) -> bool {
    may_have(packet, settings) && tables.service_at(address(packet)).is_some()
}

/// Whether the packet's destination address may be a service's: most that are not are told by the address alone.
#[inline(always)]
fn may_have(packet: &Packet, settings: &Settings) -> bool {
    settings.features & Features::PREFIXES != 0 || settings.services.may_have(&packet.destination)
}

/// What says that the packet's destination address is a service's.
#[inline(always)]
const fn address(packet: &Packet) -> Endpoint<'_> {
    let protocol = if packet.is_v4() { protocol::ICMP } else { protocol::ICMPV6 };
    Endpoint { address: &packet.destination, port: 0, protocol }
}

/// Lets a packet go on if the service allows its source.
#[inline(always)]
pub fn admit(packet: &Packet, service: ServiceValue, tables: &impl Tables) -> Result<(), DropReason> {
    if service.flags & ServiceFlags::RESTRICTED == 0 || tables.allows_source(service.id, &packet.source) {
        Ok(())
    } else {
        Err(DropReason::SourceNotAllowed)
    }
}
