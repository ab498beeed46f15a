//! Whether a frame is for this node.
//!
//! A card in promiscuous mode, or a switch that does not know better, also hands over other hosts' frames; to forward them
//! would double them. A frame for several receivers is never forwarded either: it would multiply.

use lb_common::{Mac, Settings};

use crate::{frame::Frame, wire::ethernet::Ethernet};

/// Whether the frame is addressed to this node, and to nobody else.
#[inline(always)]
pub(crate) fn is_us(frame: &impl Frame, settings: &Settings) -> bool {
    let Some(header) = frame.header::<Ethernet>(0) else { return false };
    let receiver = header.destination;
    let [likeliest, others @ ..] = &settings.macs;
    receiver == *likeliest || (!receiver.is_group() && (*likeliest == Mac::default() || others.contains(&receiver)))
}
