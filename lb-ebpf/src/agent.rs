//! The backend's side of `ipip` and `gue`: takes the outer headers off, so that the backend's own network stack sees the
//! client's packet. It works on kernels without an ipip module and costs no tunnel device.

use lb_common::{Address, DropReason};

use crate::{
    frame::Frame,
    verdict::Verdict,
    wire::{
        ethernet::{self, Ethernet},
        gue::{self, Gue},
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        protocol,
        udp::{self, Udp},
    },
};

/// What the agent must know.
pub trait AgentTables {
    /// Whether an address is one of the services' that this backend serves.
    fn serves(&self, address: &Address) -> bool;

    /// Whether encapsulated packets from this outer source are taken: it is a node.
    fn trusts(&self, source: &Address) -> bool;

    /// The UDP port at which GUE packets arrive.
    fn gue_port(&self) -> u16;

    /// Counts a packet that was taken out of its encapsulation.
    fn count_decapsulated(&self, bytes: u64);
}

/// Takes the outer headers off a packet from a node to one of our services; everything else passes untouched.
#[inline(always)]
pub fn decapsulate(frame: &mut impl Frame, tables: &impl AgentTables) -> Verdict {
    if let Ok(Some(outer_bytes)) = unwrap(frame, tables) {
        tables.count_decapsulated(frame.total_length() as u64 + outer_bytes as u64);
    }
    Verdict::Pass
}

/// How many bytes of outer headers were taken off, if the frame was an encapsulation.
#[inline(always)]
fn unwrap(frame: &mut impl Frame, tables: &impl AgentTables) -> Result<Option<u32>, DropReason> {
    let Some(tunnel) = Tunnel::find(frame) else { return Ok(None) };
    if !tunnel.is_plain {
        return Ok(None);
    }
    let tunnel = match tunnel.protocol {
        protocol::UDP => match behind_gue(frame, tunnel, tables.gue_port()) {
            Some(tunnel) => tunnel,
            None => return Ok(None),
        },
        _ => tunnel,
    };
    if !tables.trusts(&tunnel.source) {
        return Ok(None);
    }
    let inner_offset = ethernet::HEADER_BYTES + tunnel.outer_bytes;
    let (ether_type, destination) = match tunnel.protocol {
        protocol::IPV4 => match frame.header::<Ipv4>(inner_offset) {
            Some(inner) => (ethernet::IPV4, Address::v4(inner.destination())),
            None => return Ok(None),
        },
        protocol::IPV6 => match frame.header::<Ipv6>(inner_offset) {
            Some(inner) => (ethernet::IPV6, Address::v6(inner.destination())),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if !tables.serves(&destination) {
        return Ok(None);
    }
    if tunnel.met_congestion {
        mark_congestion(frame, ether_type, inner_offset)?;
    }
    let mut link = *frame.header::<Ethernet>(0).ok_or(DropReason::Inconsistent)?;
    link.ether_type = ether_type;
    frame.resize_front(-(tunnel.outer_bytes as i32)).ok_or(DropReason::NoHeadroom)?;
    *frame.header_mut::<Ethernet>(0).ok_or(DropReason::Inconsistent)? = link;
    Ok(Some(tunnel.outer_bytes))
}

/// The tunnel with the headers of GUE, if it is one to our port: variant 0 without optional fields, or variant 1, in which a
/// packet follows the UDP header directly (draft-ietf-intarea-gue, sections 3 and 4).
///
/// The UDP checksum, which may be left out over IPv6 as well (RFC 6935), is not looked at: the inner packet has its own.
#[inline(always)]
fn behind_gue(frame: &impl Frame, outer: Tunnel, port: u16) -> Option<Tunnel> {
    let offset = ethernet::HEADER_BYTES + outer.outer_bytes;
    if frame.header::<Udp>(offset)?.destination_port != port.to_be() {
        return None;
    }
    let header = frame.header::<Gue>(offset + udp::HEADER_BYTES)?;
    let (protocol, gue_bytes) = match header.direct_version() {
        4 => (protocol::IPV4, 0),
        6 => (protocol::IPV6, 0),
        _ if header.is_plain_data() => (header.protocol(), gue::HEADER_BYTES),
        _ => return None,
    };
    Some(Tunnel { protocol, outer_bytes: outer.outer_bytes + udp::HEADER_BYTES + gue_bytes, ..outer })
}

/// Congestion that the outer header has met is congestion of the inner packet (RFC 6040, section 4.2).
#[inline(always)]
fn mark_congestion(frame: &mut impl Frame, ether_type: u16, inner_offset: u32) -> Result<(), DropReason> {
    if ether_type == ethernet::IPV4 {
        frame.header_mut::<Ipv4>(inner_offset).ok_or(DropReason::Inconsistent)?.mark_congestion();
    } else {
        frame.header_mut::<Ipv6>(inner_offset).ok_or(DropReason::Inconsistent)?.mark_congestion();
    }
    Ok(())
}

/// Whether a traffic class says that congestion was met (RFC 3168, section 5).
#[inline(always)]
const fn is_congested(traffic_class: u8) -> bool {
    traffic_class & 3 == 3
}

/// The outer headers of a frame.
struct Tunnel {
    source: Address,
    outer_bytes: u32,
    protocol: u8,
    met_congestion: bool,
    /// Neither options nor fragments: what Sluice sends.
    is_plain: bool,
}

impl Tunnel {
    #[inline(always)]
    fn find(frame: &impl Frame) -> Option<Self> {
        match frame.header::<Ethernet>(0)?.ether_type {
            ethernet::IPV4 => {
                let outer = frame.header::<Ipv4>(ethernet::HEADER_BYTES)?;
                Some(Self {
                    source: Address::v4(outer.source()),
                    outer_bytes: ipv4::HEADER_BYTES,
                    protocol: outer.protocol(),
                    met_congestion: is_congested(outer.traffic_class()),
                    is_plain: outer.header_bytes() == ipv4::HEADER_BYTES && !outer.is_fragment(),
                })
            }
            ethernet::IPV6 => {
                let outer = frame.header::<Ipv6>(ethernet::HEADER_BYTES)?;
                Some(Self {
                    source: Address::v6(outer.source()),
                    outer_bytes: ipv6::HEADER_BYTES,
                    protocol: outer.next_header(),
                    met_congestion: is_congested(outer.traffic_class()),
                    is_plain: true,
                })
            }
            _ => None,
        }
    }
}
