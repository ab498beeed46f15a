//! `nat`: destination address translation without per-flow state. Requests get the backend's address and port,
//! replies get the service's back. `full-nat` rewrites both ends with the same means.

use lb_common::{Address, BackendValue, DropReason};

use super::{Part, quote};
use crate::{
    frame::Frame,
    parse::{Packet, Transport},
    wire::{checksum::Update, ipv4::Ipv4, ipv6::Ipv6, tcp::Tcp, udp::Udp},
};

/// The two ends of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Destination,
}

/// An address and a port, host byte order.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint<'a> {
    /// The address, of the packet's family.
    pub(crate) address: &'a Address,
    /// The port.
    pub(crate) port: u16,
}

/// Replaces source and destination. Whoever may have sent an error, the ends that get it see it come from the other one.
#[inline(always)]
pub(super) fn both(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    source: Endpoint<'_>,
    destination: Endpoint<'_>,
) -> Result<(), DropReason> {
    if let Part::Error(_) = part {
        quote::replace_source(frame, packet, source.address).ok_or(DropReason::Inconsistent)?;
    }
    translate(frame, packet, part, End::Source, source.address, source.port)?;
    translate(frame, packet, part, End::Destination, destination.address, destination.port)
}

/// Addresses a client's packet to the backend.
#[inline(always)]
pub(super) fn request(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    backend: &BackendValue,
) -> Result<(), DropReason> {
    translate(frame, packet, part, End::Destination, &backend.address, backend.port)
}

/// Makes a backend's packet come from the service.
#[inline(always)]
pub(super) fn reply(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    (address, port): (&Address, u16),
) -> Result<(), DropReason> {
    translate(frame, packet, part, End::Source, address, port)
}

/// Replaces address and port (0 keeps it) at one end of the packet, and corrects the checksums.
#[inline(always)]
fn translate(
    frame: &mut impl Frame,
    packet: &Packet,
    part: Part<'_>,
    end: End,
    address: &Address,
    port: u16,
) -> Result<(), DropReason> {
    let done = match part {
        Part::Packet => rewrite(frame, packet, end, address, port),
        Part::Fragment => rewrite_address(frame, packet, end, address).map(|_| ()),
        Part::Error(quoted) => quote::rewrite(frame, packet, quoted, end, address, port),
    };
    done.ok_or(DropReason::Inconsistent)
}

#[inline(always)]
fn rewrite(frame: &mut impl Frame, packet: &Packet, end: End, address: &Address, port: u16) -> Option<()> {
    let old = if end == End::Source { packet.source_port } else { packet.destination_port };
    let port = if port == 0 { old } else { port };
    let update = rewrite_address(frame, packet, end, address)?;
    rewrite_port(frame, packet, end, port.to_be(), update)
}

/// Replaces the address; returns what the transport's checksum must take account of (its pseudo header).
#[inline(always)]
pub(super) fn rewrite_address(frame: &mut impl Frame, packet: &Packet, end: End, address: &Address) -> Option<Update> {
    if packet.is_v4() {
        let header = frame.header_mut::<Ipv4>(packet.network_offset)?;
        return Some(match end {
            End::Source => header.set_source(address.low()),
            End::Destination => header.set_destination(address.low()),
        });
    }
    let header = frame.header_mut::<Ipv6>(packet.network_offset)?;
    Some(match end {
        End::Source => header.set_source(address.0),
        End::Destination => header.set_destination(address.0),
    })
}

/// Replaces the port, given as it stands on the wire, and corrects the checksum.
#[inline(always)]
fn rewrite_port(frame: &mut impl Frame, packet: &Packet, end: End, port: u16, update: Update) -> Option<()> {
    match packet.transport {
        Transport::Tcp { .. } => {
            let header = frame.header_mut::<Tcp>(packet.transport_offset)?;
            let old = if end == End::Source { header.source_port } else { header.destination_port };
            header.checksum = update.word(old, port).apply(header.checksum);
            if end == End::Source { header.source_port = port } else { header.destination_port = port }
        }
        Transport::Udp => {
            let header = frame.header_mut::<Udp>(packet.transport_offset)?;
            let old = if end == End::Source { header.source_port } else { header.destination_port };
            header.checksum = update.word(old, port).apply_udp(header.checksum);
            if end == End::Source { header.source_port = port } else { header.destination_port = port }
        }
        Transport::EchoRequest | Transport::Error | Transport::Other => return None,
    }
    Some(())
}
