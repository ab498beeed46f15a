//! Which service a packet is for.

use lb_common::{DropReason, EndpointKey, ServiceValue};

use crate::{
    parse::{Packet, Transport},
    tables::Tables,
    wire::protocol,
};

/// The service that the packet is for: exact port first, then any port. `None` if it is not for us.
///
/// A packet with a defect has no service; if its address is ours, the defect is the reason to drop it.
#[inline(always)]
pub fn find<'t>(packet: &Packet, tables: &'t impl Tables) -> Result<Option<&'t ServiceValue>, DropReason> {
    if let Some(defect) = packet.defect {
        return if address(packet, tables).is_some() { Err(defect) } else { Ok(None) };
    }
    Ok(match packet.transport {
        Transport::Tcp { .. } | Transport::Udp => {
            at(packet, packet.destination_port, tables).or_else(|| at(packet, 0, tables))
        }
        Transport::EchoRequest => address(packet, tables),
        // What it is about is not known before what it quotes has been read: the side road does that.
        Transport::Error | Transport::Other => None,
    })
}

#[inline(always)]
fn at<'t>(packet: &Packet, port: u16, tables: &'t impl Tables) -> Option<&'t ServiceValue> {
    tables.service(&EndpointKey::new(packet.destination, port, packet.protocol))
}

/// The entry of the packet's destination address, if it is a service's.
#[inline(always)]
pub(crate) fn address<'t>(packet: &Packet, tables: &'t impl Tables) -> Option<&'t ServiceValue> {
    let echo = if packet.is_v4() { protocol::ICMP } else { protocol::ICMPV6 };
    tables.service(&EndpointKey::new(packet.destination, 0, echo))
}
