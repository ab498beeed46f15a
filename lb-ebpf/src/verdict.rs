//! What becomes of a frame.

/// The datapath's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not for us: the kernel's network stack goes on with it.
    Pass,
    /// It leaves by the interface that it came in by.
    Transmit,
    /// It leaves by the interface with this index.
    Redirect(u32),
    /// It ends here; the reason has been counted.
    Drop,
}

impl Verdict {
    /// The verdict that sends a frame out of `egress`.
    #[inline(always)]
    pub const fn leave_by(egress: u32, ingress: u32) -> Self {
        if egress == ingress { Self::Transmit } else { Self::Redirect(egress) }
    }
}
