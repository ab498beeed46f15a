//! What becomes of a frame.

use crate::aside::Errand;

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

/// The bit that no interface's index has.
const NO_INTERFACE: u32 = 1 << 31;

impl Way {
    /// See [`Verdict::Pass`]. No interface has this index.
    pub const PASS: Self = Self(0);
    /// See [`Verdict::Transmit`]. No interface has this index.
    pub(crate) const TRANSMIT: Self = Self(u32::MAX);
    /// See [`Verdict::Drop`].
    pub(crate) const DROP: Self = Self(u32::MAX - 1);
    /// The packet is rare, and a side road is to deal with it: see [`Errand::Error`].
    pub(crate) const ERROR: Self = Self(u32::MAX - 2);
    /// See [`Errand::Fragment`].
    pub(crate) const FRAGMENT: Self = Self(u32::MAX - 3);

    /// The packet, which is untouched, fits no way that carries only so many bytes: [`crate::too_big::refuse`].
    #[inline(always)]
    pub(crate) const fn too_big(mtu: u16) -> Self {
        Self(NO_INTERFACE | mtu as u32)
    }

    /// The largest packet that would have fitted, in bytes, if this one did not.
    #[inline(always)]
    pub(crate) const fn fitting(self) -> Option<u16> {
        if self.0 >> 16 == NO_INTERFACE >> 16 { Some(self.0 as u16) } else { None }
    }

    /// The side road that this is, if it is one.
    #[inline(always)]
    pub(crate) const fn errand(self) -> Option<Errand> {
        match self {
            Self::ERROR => Some(Errand::Error),
            Self::FRAGMENT => Some(Errand::Fragment),
            _ => None,
        }
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
            // Nothing else is left of what is no interface's index.
            Self(word) if word & NO_INTERFACE != 0 => Verdict::Drop,
            Self(ifindex) => Verdict::Redirect(ifindex),
        }
    }
}
