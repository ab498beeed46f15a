//! What becomes of a frame.

use lb_common::DropReason;

/// The datapath's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not for us: the kernel's network stack goes on with it.
    Pass,
    /// It leaves by the interface that it came in by.
    Transmit,
    /// It leaves by the interface with this index.
    Redirect(u32),
    /// It ends here; the reason has been noted.
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
    /// See [`Verdict::Drop`]; the reason has been noted. No interface has this index.
    pub(crate) const DROP: Self = Self(u32::MAX - 1);

    /// A rare packet's, which a side road is to deal with: [`crate::aside`]. No interface has this index.
    pub(crate) const ASIDE: Self = Self(u32::MAX - 2);

    /// What a side road leaves to the one that leads back to clients: [`crate::aside::back`]. No interface has this index.
    pub(crate) const BACK: Self = Self(u32::MAX - 3);

    /// A packet's of a service with sessions: [`crate::sessions::road`]. No interface has this index.
    pub(crate) const SESSIONS: Self = Self(u32::MAX - 4);

    /// That of an ICMP error about a session: [`crate::sessions::error_road`]. No interface has this index.
    pub(crate) const SESSION_ERROR: Self = Self(u32::MAX - 5);

    /// That of a packet for the node itself, which is protected: [`crate::node::road`]. No interface has this index.
    pub(crate) const NODE: Self = Self(u32::MAX - 6);

    /// Set in the words of all ways above that lead to a road; clear if the firewall has let the packet in for good
    /// ([`Self::admitted`]).
    const UNDECIDED: u32 = 16;

    /// The same way to a road, for a packet that the firewall has let in for good, or not.
    #[inline(always)]
    pub(crate) const fn admitted(self, is_admitted: bool) -> Self {
        Self(self.0 ^ (is_admitted as u32 * Self::UNDECIDED))
    }

    /// Whether [`Self::admitted`] was told so.
    #[inline(always)]
    pub(crate) const fn is_admitted(self) -> bool {
        self.0 >= u32::MAX - 31 && self.0 & Self::UNDECIDED == 0
    }

    /// The way to a road, whatever [`Self::admitted`] was told.
    #[inline(always)]
    pub(crate) const fn road(self) -> Self {
        if self.is_admitted() { Self(self.0 | Self::UNDECIDED) } else { self }
    }

    /// In a word: a drop, whose reason is still to be noted. No interface's index is so high, and no other way has this bit
    /// without the one above it.
    const DROP_FOR: u32 = 1 << 30;
    /// In the word of a drop: the packet did not fit; what would have fitted, in bytes, stands in the place of the reason.
    const MISFIT: u32 = Self::DROP_FOR | 1 << 29;
    /// In the word of any other drop: where the number of what has decided it begins, behind the reason.
    const NUMBER_SHIFT: u32 = 16;

    /// A drop of a packet that is longer than so many bytes of IP: whoever gets this has to tell the sender, too.
    #[inline(always)]
    pub(crate) const fn misfit(max_bytes: u16) -> Self {
        Self(Self::MISFIT | max_bytes as u32)
    }

    /// What [`Self::misfit`] was given.
    #[inline(always)]
    pub(crate) const fn max_bytes(self) -> Option<u16> {
        if self.0 >> 16 == Self::MISFIT >> 16 { Some(self.0 as u16) } else { None }
    }

    /// A drop, for a reason that whoever gets this has to note: roads leave that to [`crate::process`], where the whole stack
    /// is free for it and the verifier looks at it once.
    #[inline(always)]
    pub const fn drop_for(reason: DropReason) -> Self {
        Self(Self::DROP_FOR | reason as u32)
    }

    /// The same, by the rule with this number, counted from 1 and below 4,096.
    #[inline(always)]
    pub const fn drop_by(reason: DropReason, number: u32) -> Self {
        Self(Self::drop_for(reason).0 | number << Self::NUMBER_SHIFT)
    }

    /// What [`Self::drop_by`] was given; 0 for other drops.
    #[inline(always)]
    pub(crate) const fn number(self) -> u32 {
        if self.max_bytes().is_some() { 0 } else { self.0 >> Self::NUMBER_SHIFT & 0xfff }
    }

    /// The reason of a drop that is still to be noted.
    #[inline(always)]
    pub(crate) const fn reason(self) -> Option<DropReason> {
        if self.0 >> 30 != Self::DROP_FOR >> 30 {
            return None;
        }
        if self.max_bytes().is_some() {
            return Some(DropReason::MtuExceeded);
        }
        DropReason::from_index(self.0 as u16 as u32)
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

    /// What it means, once it is not a drop whose reason is still to be noted.
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
