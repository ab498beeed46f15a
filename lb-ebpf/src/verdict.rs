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

/// A verdict while the datapath passes it on: one word, so that an error's reason takes its place exactly.
///
/// Where the parts of an enum that a variant lacks meet those of another, LLVM may copy a register that nobody wrote, and
/// the verifier refuses to read that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way(u32);

impl Way {
    /// See [`Verdict::Pass`]. No interface has this index.
    pub const PASS: Self = Self(0);
    /// See [`Verdict::Transmit`]. No interface has this index.
    pub(crate) const TRANSMIT: Self = Self(u32::MAX);
    /// See [`Verdict::Drop`]. No interface has this index.
    pub const DROP: Self = Self(u32::MAX - 1);

    /// A rare packet's, which a side road is to deal with: [`crate::aside`]. No interface has this index.
    pub(crate) const ASIDE: Self = Self(u32::MAX - 2);

    /// What a side road leaves to the one that leads back to clients: [`crate::aside::back`]. No interface has this index.
    pub(crate) const BACK: Self = Self(u32::MAX - 3);

    /// A packet's of a service with sessions: [`crate::sessions::road`]. No interface has this index.
    pub(crate) const SESSIONS: Self = Self(u32::MAX - 4);

    /// That of an ICMP error about a session: [`crate::sessions::error_road`]. No interface has this index.
    pub(crate) const SESSION_ERROR: Self = Self(u32::MAX - 5);

    /// In a word: it is no way but what would have fitted one, in bytes. No interface's index is so high.
    const MISFIT: u32 = 1 << 31;

    /// None, for a packet that is longer than so many bytes of IP: whoever gets this has to refuse the packet.
    #[inline(always)]
    pub(crate) const fn misfit(max_bytes: u16) -> Self {
        Self(Self::MISFIT | max_bytes as u32)
    }

    /// What [`Self::misfit`] was given.
    #[inline(always)]
    pub(crate) const fn max_bytes(self) -> Option<u16> {
        if self.0 >> 16 == Self::MISFIT >> 16 { Some(self.0 as u16) } else { None }
    }

    /// The way in a word that [`Self::word`] returned.
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// The word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The way out of the interface `egress`.
    #[inline(always)]
    pub(crate) const fn leave_by(egress: u32, ingress: u32) -> Self {
        if egress == ingress { Self::TRANSMIT } else { Self(egress) }
    }

    /// What it means.
    #[inline(always)]
    pub(crate) const fn verdict(self) -> Verdict {
        match self {
            Self::PASS => Verdict::Pass,
            Self::TRANSMIT => Verdict::Transmit,
            Self::DROP => Verdict::Drop,
            Self(ifindex) => Verdict::Redirect(ifindex),
        }
    }
}
