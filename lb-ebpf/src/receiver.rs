//! Whether a frame is for this node.
//!
//! A card in promiscuous mode, or a switch that does not know better, also hands over other hosts' frames; to forward them
//! would double them. A frame for several receivers is never forwarded either: it would multiply.

use lb_common::{Mac, Settings};

use crate::{frame::Frame, tables::Tables, wire::ethernet::Ethernet};

/// Whether the frame is addressed to this node, and to nobody else.
#[inline(always)]
pub(crate) fn is_us(frame: &impl Frame, settings: &Settings, tables: &impl Tables) -> bool {
    let Some(header) = frame.header::<Ethernet>(0) else { return false };
    header.destination == settings.macs[0] || tables.is_receiver(header.destination)
}

/// Whether any of the node's addresses is this one.
#[inline(always)]
pub fn is_one_of(mac: Mac, settings: &Settings) -> bool {
    let [likeliest, others @ ..] = &settings.macs;
    !mac.is_group() && (*likeliest == Mac::default() || mac == *likeliest || others.contains(&mac))
}
