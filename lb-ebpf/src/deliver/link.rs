//! The link layer of a packet that leaves: addresses, tags, and room for an outer header.

use lb_common::{DropReason, Mac};

use crate::{
    frame::Frame,
    parse::Packet,
    verdict::Way,
    wire::ethernet::{ADDRESSES_BYTES, Ethernet, HEADER_BYTES, TAG_BYTES, Tag, VLAN},
};

/// The next hop of a packet. The addresses are copied once, to the frame.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// The interface that leads there.
    pub ifindex: u32,
    /// Its MAC address.
    pub mac: &'a Mac,
    /// The MAC address of that interface.
    pub source_mac: &'a Mac,
    /// The VLAN there; 0 if the way does not name one.
    pub vlan: u16,
}

/// Sends the packet on as it is, but for the link header.
#[inline(always)]
pub(crate) fn forward(frame: &mut impl Frame, packet: &Packet, hop: Hop<'_>) -> Result<Way, DropReason> {
    if is_untagged(packet, hop) {
        address(frame, hop)?;
        return Ok(Way::leave_by(hop.ifindex, frame.ingress()));
    }
    let tags = Tags::leaving(frame, packet, hop)?;
    let header_bytes = tags.header_bytes;
    if header_bytes != packet.network_offset || hop.vlan != 0 {
        let ether_type = ether_type(frame, packet)?;
        let grow = header_bytes as i32 - packet.network_offset as i32;
        frame.resize_front(grow).ok_or(DropReason::NoHeadroom)?;
        return write(frame, hop, tags, ether_type);
    }
    address(frame, hop)?;
    Ok(Way::leave_by(hop.ifindex, frame.ingress()))
}

/// Makes room for an outer header of `outer_bytes` in front of the IP header and writes the link header before it.
/// Returns where the outer header goes, and the way out.
#[inline(always)]
pub(super) fn wrap(
    frame: &mut impl Frame,
    packet: &Packet,
    hop: Hop<'_>,
    outer_bytes: u32,
    ether_type: u16,
) -> Result<(u32, Way), DropReason> {
    if is_untagged(packet, hop) {
        frame.resize_front(outer_bytes as i32).ok_or(DropReason::NoHeadroom)?;
        address(frame, hop)?.ether_type = ether_type;
        return Ok((HEADER_BYTES, Way::leave_by(hop.ifindex, frame.ingress())));
    }
    let tags = Tags::leaving(frame, packet, hop)?;
    let outer_offset = tags.header_bytes;
    let grow = (outer_offset + outer_bytes) as i32 - packet.network_offset as i32;
    frame.resize_front(grow).ok_or(DropReason::NoHeadroom)?;
    Ok((outer_offset, write(frame, hop, tags, ether_type)?))
}

/// Whether a packet came without tags and leaves without.
#[inline(always)]
const fn is_untagged(packet: &Packet, hop: Hop<'_>) -> bool {
    packet.network_offset == HEADER_BYTES && hop.vlan == 0
}

/// Writes a link header at the front of the frame.
#[inline(always)]
fn write(frame: &mut impl Frame, hop: Hop<'_>, tags: Tags, ether_type: u16) -> Result<Way, DropReason> {
    let mut first = ether_type;
    if tags.header_bytes > HEADER_BYTES {
        first = tags.outer.protocol;
        let mut behind = ether_type;
        if tags.header_bytes > HEADER_BYTES + TAG_BYTES {
            behind = tags.inner.protocol;
            put(frame, HEADER_BYTES + TAG_BYTES, Tag { protocol: tags.inner.control, control: ether_type })?;
        }
        // A tag's second half and the EtherType behind it have the shape of a tag.
        put(frame, HEADER_BYTES, Tag { protocol: tags.outer.control, control: behind })?;
    }
    address(frame, hop)?.ether_type = first;
    Ok(Way::leave_by(hop.ifindex, frame.ingress()))
}

/// Writes the link header's addresses.
#[inline(always)]
fn address<'f>(frame: &'f mut impl Frame, hop: Hop<'_>) -> Result<&'f mut Ethernet, DropReason> {
    let header = frame.header_mut::<Ethernet>(0).ok_or(DropReason::Inconsistent)?;
    header.destination = *hop.mac;
    header.source = *hop.source_mac;
    Ok(header)
}

#[inline(always)]
fn put<T: crate::frame::Header>(frame: &mut impl Frame, offset: u32, value: T) -> Result<(), DropReason> {
    *frame.header_mut::<T>(offset).ok_or(DropReason::Inconsistent)? = value;
    Ok(())
}

/// The EtherType of the packet's own IP header.
#[inline(always)]
fn ether_type(frame: &impl Frame, packet: &Packet) -> Result<u16, DropReason> {
    let behind = frame.header::<Tag>(packet.network_offset.wrapping_sub(TAG_BYTES)).ok_or(DropReason::Inconsistent)?;
    Ok(behind.control)
}

/// The VLAN tags that a packet leaves with; zeros where there is none.
///
/// They are no `Option`s, of which LLVM copies what nobody wrote where there is none, and the verifier refuses to read that.
#[derive(Clone, Copy)]
struct Tags {
    /// The length of a link header with these tags, in bytes.
    header_bytes: u32,
    outer: Tag,
    inner: Tag,
}

impl Tags {
    const NONE: Self = Self { header_bytes: HEADER_BYTES, outer: Tag::NONE, inner: Tag::NONE };

    /// The tag of the next hop's VLAN if it has one. Otherwise the tags that the packet came with, if it leaves by the
    /// interface that it came in by, and none if not, because another interface is another network.
    #[inline(always)]
    fn leaving(frame: &impl Frame, packet: &Packet, hop: Hop<'_>) -> Result<Self, DropReason> {
        let mut tags = Self::NONE;
        if hop.vlan != 0 {
            tags.header_bytes = HEADER_BYTES + TAG_BYTES;
            tags.outer = Tag { protocol: VLAN, control: hop.vlan.to_be() };
            return Ok(tags);
        }
        if hop.ifindex != frame.ingress() {
            return Ok(tags);
        }
        tags.header_bytes = HEADER_BYTES + TAG_BYTES;
        tags.outer = *frame.header::<Tag>(ADDRESSES_BYTES).ok_or(DropReason::Inconsistent)?;
        if packet.network_offset > HEADER_BYTES + TAG_BYTES {
            tags.header_bytes = HEADER_BYTES + 2 * TAG_BYTES;
            tags.inner = *frame.header::<Tag>(ADDRESSES_BYTES + TAG_BYTES).ok_or(DropReason::Inconsistent)?;
        }
        Ok(tags)
    }
}
