//! The backend's side of `ipip`: takes the outer header off, so that the backend's own network stack sees the
//! client's packet. It works on kernels without an ipip module and costs no tunnel device.

use lb_common::{Address, DropReason};

use crate::{
    frame::Frame,
    verdict::Verdict,
    wire::{
        ethernet::{self, Ethernet},
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        protocol,
    },
};

/// What the agent must know.
pub trait AgentTables {
    /// Whether an address is one of the services' that this backend serves.
    fn serves(&self, address: &Address) -> bool;

    /// Whether encapsulated packets from this outer source are taken: it is a node.
    fn trusts(&self, source: &Address) -> bool;

    /// Counts a packet that was taken out of its encapsulation.
    fn count_decapsulated(&self, bytes: u64);
}

/// Takes the outer header off a packet from a node to one of our services; everything else passes untouched.
#[inline(always)]
pub fn decapsulate(frame: &mut impl Frame, tables: &impl AgentTables) -> Verdict {
    let bytes = frame.length() as u64;
    if unwrap(frame, tables).is_ok_and(|unwrapped| unwrapped) {
        tables.count_decapsulated(bytes);
    }
    Verdict::Pass
}

/// Whether the frame was an encapsulation, which it no longer is.
#[inline(always)]
fn unwrap(frame: &mut impl Frame, tables: &impl AgentTables) -> Result<bool, DropReason> {
    let Some(tunnel) = Tunnel::find(frame) else { return Ok(false) };
    if !tunnel.is_plain || !tables.trusts(&tunnel.source) {
        return Ok(false);
    }
    let inner_offset = ethernet::HEADER_BYTES + tunnel.outer_bytes;
    let (ether_type, destination) = match tunnel.protocol {
        protocol::IPV4 => match frame.header::<Ipv4>(inner_offset) {
            Some(inner) => (ethernet::IPV4, Address::v4(inner.destination())),
            None => return Ok(false),
        },
        protocol::IPV6 => match frame.header::<Ipv6>(inner_offset) {
            Some(inner) => (ethernet::IPV6, Address::v6(inner.destination())),
            None => return Ok(false),
        },
        _ => return Ok(false),
    };
    if !tables.serves(&destination) {
        return Ok(false);
    }
    if tunnel.met_congestion {
        mark_congestion(frame, ether_type, inner_offset)?;
    }
    let mut link = *frame.header::<Ethernet>(0).ok_or(DropReason::Inconsistent)?;
    link.ether_type = ether_type;
    frame.resize_front(-(tunnel.outer_bytes as i32)).ok_or(DropReason::NoHeadroom)?;
    *frame.header_mut::<Ethernet>(0).ok_or(DropReason::Inconsistent)? = link;
    Ok(true)
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

/// The outer header of a frame.
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
