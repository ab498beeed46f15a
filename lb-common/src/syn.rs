//! SYN protection: what the daemon sets, where the datapath remembers, and what it counts.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The one element of the `syn` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SynSettings {
    /// The keys of the cookies of this epoch and of the one before, each at the last bit of its epoch.
    pub keys: [[u64; 2]; 2],
    /// The epoch, whose key new cookies are made with.
    pub epoch: u32,
    /// For how long a source that has proved itself is let in, in seconds.
    pub keep_s: u32,
    /// How many SYNs a second such a source may send.
    pub source_syns: u32,
    /// How many SYNs a second are answered to the sources of one prefix: an IPv4 /24, an IPv6 /56.
    pub answers: u32,
    /// How many SYNs a second are let in because they came again, for each service.
    pub retries: u32,
    /// Padding.
    pub zero: u32,
}

impl SynSettings {
    /// The key of an epoch: this one, or the one before.
    #[inline(always)]
    pub const fn key(&self, epoch: u32) -> [u64; 2] {
        let [even, odd] = self.keys;
        if epoch & 1 == 0 { even } else { odd }
    }
}

/// Words of a [`SynLine`].
pub const SYN_LINE_WORDS: usize = 8;

/// A cache line of what the datapath remembers for SYN protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SynLine(pub [u64; SYN_LINE_WORDS]);

/// Something that SYN protection counts for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum SynEvent {
    /// A SYN was answered with a cookie instead of going on; where protection only observes, it would have been.
    Challenged,
    /// A reset has brought a cookie back: its source is let in.
    Proved,
    /// A reset proved nothing: it is forged, late, or an ordinary one of an open connection. It went on.
    Refused,
    /// A SYN came again as a client sends it that has not got the answer, and went on.
    Retried,
    /// A SYN of a source that had proved itself went on.
    Admitted,
    /// A SYN of a source that had proved itself was one too many, and was dropped.
    Limited,
    /// A SYN was dropped without an answer, because the sources around it had got enough of them.
    Unanswered,
    /// Of a sample of the flows: a SYN went to a backend.
    Opened,
    /// Of the same sample: the client's next segment followed.
    Completed,
}

impl SynEvent {
    /// How many there are.
    pub const COUNT: usize = 9;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Challenged,
        Self::Proved,
        Self::Refused,
        Self::Retried,
        Self::Admitted,
        Self::Limited,
        Self::Unanswered,
        Self::Opened,
        Self::Completed,
    ];
}

/// What SYN protection has counted for a service, by [`SynEvent`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SynTraffic(pub [u64; SynEvent::COUNT]);

impl SynTraffic {
    /// How often something happened.
    pub const fn of(&self, event: SynEvent) -> u64 {
        self.0[event as usize]
    }
}
