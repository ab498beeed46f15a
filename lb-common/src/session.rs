//! Sessions: what `full-nat` remembers of each connection.
//!
//! Problem: with source and destination both replaced, a backend's reply names nothing but the node, so that the node must know
//! whose it is. Mechanism: a session's place in the `sessions` array is made of what the reply is addressed to, the node's
//! address, the protocol and the port; a reply is found by one access and no hash. A client's packet finds its session through
//! a directory of 64-byte sets, by the flow's hash. Trade-off: a port of the node belongs to one session whatever its backend,
//! so an address carries as many sessions of a protocol as it has ports.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, DirectoryPlace, Flow, MAX_NODE_ADDRESSES};

/// A session of TCP whose two ends have talked is kept for this long, in seconds. RFC 5382 (REQ-5) asks for 2 hours and
/// 4 minutes at least, so that the keep-alive of two hours, which is the usual one, arrives in time.
pub const ESTABLISHED_SECONDS: u32 = 2 * 3600 + 300;

/// A session of TCP of which one end has finished is kept for this long, in seconds (RFC 5382, REQ-5).
pub const HALF_CLOSED_SECONDS: u32 = 240;

/// A session of TCP that is over, or was never answered and acknowledged, is kept for this long, in seconds: as long as
/// Linux keeps a server's end in TIME-WAIT or half open.
pub const TRANSIENT_SECONDS: u32 = 60;

/// A session of UDP whose two ends have talked is kept for this long, in seconds (RFC 4787, REQ-5).
pub const DATAGRAMS_SECONDS: u32 = 120;

/// A session of UDP without a second question is kept for this long, in seconds.
pub const QUESTION_SECONDS: u32 = 30;

/// For so long, in seconds, nobody takes the port of a session. While ports are short, those that are transient or over
/// are given away after it: a flood of SYNs cannot hold them, nor can many short connections.
pub const REST_SECONDS: u32 = 3;

/// A coarse time: seconds modulo 2^28, which is eight years. A session may lie untouched for days until somebody wants its
/// port, so it needs more than the flow table's [`crate::Tick`], whose entries are removed in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second(u32);

impl Second {
    /// The second in a word.
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Self(word & Self::MASK)
    }

    /// The word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    const BITS: u32 = 28;
    const MASK: u32 = (1 << Self::BITS) - 1;

    /// The second of a time in seconds.
    #[inline(always)]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds as u32 & Self::MASK)
    }

    /// The second so many later.
    #[inline(always)]
    const fn plus(self, seconds: u32) -> Self {
        Self(self.0.wrapping_add(seconds) & Self::MASK)
    }

    /// Seconds from `now` to this one, if that is less than four years; more than any other answer if it has passed.
    #[inline(always)]
    const fn left(self, now: Self) -> u32 {
        self.0.wrapping_sub(now.0) & Self::MASK
    }

    /// Whether it has passed.
    #[inline(always)]
    const fn has_passed(self, now: Self) -> bool {
        self.left(now) >> (Self::BITS - 1) != 0
    }
}

/// The number of a session: its place in the `sessions` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u32);

impl SessionId {
    const PORT_BITS: u32 = 16;
    /// How many bits a number has.
    pub const BITS: u32 = Self::PORT_BITS + 1 + MAX_NODE_ADDRESSES.ilog2();

    /// The session of a port of a node's address.
    #[inline(always)]
    pub const fn new(address: u32, is_tcp: bool, port: u16) -> Self {
        Self(
            (address & (MAX_NODE_ADDRESSES - 1)) << (Self::PORT_BITS + 1)
                | (!is_tcp as u32) << Self::PORT_BITS
                | port as u32,
        )
    }

    /// The session with a number.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        Self(number & ((1 << Self::BITS) - 1))
    }

    /// The session of a port some ports on.
    #[inline(always)]
    #[must_use]
    pub const fn plus(self, ports: u32) -> Self {
        Self::from_number(self.0.wrapping_add(ports))
    }

    /// The number.
    #[inline(always)]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The number of the node's address.
    #[inline(always)]
    pub const fn address(self) -> u32 {
        self.0 >> (Self::PORT_BITS + 1)
    }

    /// Whether it is one of TCP, and not of UDP.
    #[inline(always)]
    pub const fn is_tcp(self) -> bool {
        self.0 >> Self::PORT_BITS & 1 == 0
    }

    /// The node's port.
    #[inline(always)]
    pub const fn port(self) -> u16 {
        self.0 as u16
    }
}

/// What a packet tells of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The client opens it, or repeats that.
    Opening,
    /// The client speaks.
    Client,
    /// The client has finished.
    ClientFin,
    /// The backend speaks.
    Backend,
    /// The backend has finished.
    BackendFin,
    /// One of them breaks it off.
    Reset,
}

/// The state of a session: `{directory place: 20 bits, last second: 28 bits, flags: 16 bits}`, read and written whole. After
/// its last second nobody needs it any more; each packet moves that on. It is kept instead of the time of the last packet
/// because who looks for a port compares many states, and a packet of a session changes one.
///
/// The other words of a session belong to whoever made its state *busy*; everybody else reads them only while it is
/// *open*. Whoever sees an open state and can make it that of this second, or finds it so, may rely on the words:
/// nobody takes a session that has spoken within [`REST_SECONDS`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionState(u64);

const _: () = assert!(DirectoryPlace::BITS <= 64 - SessionState::PLACE);

one_word!(SessionState, u64);

impl SessionState {
    /// Nobody has ever been here.
    pub const EMPTY: Self = Self(0);

    /// Somebody is writing the session's other words.
    pub const BUSY: Self = Self(2);

    const OPEN: u64 = 1;
    const ANSWERED: u64 = 4;
    const ESTABLISHED: u64 = 8;
    const CLIENT_FIN: u64 = 16;
    const BACKEND_FIN: u64 = 32;
    const RESET: u64 = 64;
    const ENDED: u64 = Self::CLIENT_FIN | Self::BACKEND_FIN | Self::RESET;
    /// It may end at any time: it has ended on both sides, or was never established.
    const TRANSIENT: u64 = 128;
    const LAST: u32 = 16;
    const PLACE: u32 = Self::LAST + Second::BITS;

    /// A session that its client has just opened; `place` is that of its entry in the directory.
    #[inline(always)]
    pub const fn opened(place: DirectoryPlace, is_tcp: bool, now: Second) -> Self {
        let last = now.plus(transient_seconds(is_tcp));
        Self(Self::OPEN | Self::TRANSIENT | (last.0 as u64) << Self::LAST | (place.number() as u64) << Self::PLACE)
    }

    /// Whether the session's other words are valid.
    #[inline(always)]
    pub const fn is_open(self) -> bool {
        self.0 & Self::OPEN != 0
    }

    /// The last second in which somebody needs it.
    #[inline(always)]
    const fn last(self) -> Second {
        Second((self.0 >> Self::LAST) as u32 & Second::MASK)
    }

    /// Where its entry in the directory is, unless that has been given to another session since.
    #[inline(always)]
    pub const fn place(self) -> DirectoryPlace {
        DirectoryPlace::from_number((self.0 >> Self::PLACE) as u32)
    }

    /// Whether one of the ends has finished or broken off.
    #[inline(always)]
    pub const fn has_ended(self) -> bool {
        self.0 & Self::ENDED != 0
    }

    /// Whether a SYN opens another session: this one was established and has ended. One that never was begins again on the
    /// same port. Its backend may still have held an older connection from there in TIME-WAIT and have answered the SYN with
    /// an acknowledgement of that one (RFC 9293, section 3.6.1); the client's reset has then ended it, and only from this
    /// port does the next SYN find nothing in its way.
    #[inline(always)]
    pub const fn is_spent(self) -> bool {
        self.has_ended() && self.0 & Self::ESTABLISHED != 0
    }

    /// The state after one more packet.
    #[inline(always)]
    #[must_use]
    pub const fn after(self, mark: Mark, is_tcp: bool, now: Second) -> Self {
        // The client has spoken after the backend had answered: it is real, and so is the backend.
        let established = if self.0 & Self::ANSWERED != 0 { Self::ESTABLISHED } else { 0 };
        let noted = match mark {
            Mark::Opening if self.has_ended() && !self.is_spent() => return Self::opened(self.place(), is_tcp, now),
            Mark::Opening => 0,
            Mark::Client => established,
            Mark::ClientFin => established | Self::CLIENT_FIN,
            Mark::Backend => Self::ANSWERED,
            Mark::BackendFin => Self::ANSWERED | Self::BACKEND_FIN,
            Mark::Reset => Self::RESET,
        };
        let flags = (self.0 | noted) & 0xffff & !Self::TRANSIENT;
        let is_transient = is_transient(flags);
        let last = now.plus(if is_transient { transient_seconds(is_tcp) } else { lasting_seconds(flags, is_tcp) });
        let transient = if is_transient { Self::TRANSIENT } else { 0 };
        Self(self.0 >> Self::PLACE << Self::PLACE | (last.0 as u64) << Self::LAST | flags | transient)
    }

    /// Whether nobody needs it any more, so that its port may be given to another.
    #[inline(always)]
    pub const fn is_free(self, now: Second) -> bool {
        self.0 & (Self::OPEN | Self::BUSY.0) == 0 || self.is_over(now)
    }

    /// Whether it is open and nobody needs it any more.
    #[inline(always)]
    pub const fn is_over(self, now: Second) -> bool {
        self.is_open() && self.last().has_passed(now)
    }

    /// For whoever looks for a port: the less, the rather may this one be taken. 0 is a free one, `None` one that may not be
    /// taken; between are those that may if no free one is found, the oldest first.
    #[inline(always)]
    pub const fn rank(self, is_tcp: bool, now: Second) -> Option<u32> {
        if self.is_free(now) {
            return Some(0);
        }
        let left = self.last().left(now) + 1;
        let is_dispensable = self.0 & Self::TRANSIENT != 0 && left < transient_seconds(is_tcp) + 1 - REST_SECONDS;
        if is_dispensable { Some(left) } else { None }
    }
}

/// For how long a session that may end at any time is kept.
#[inline(always)]
const fn transient_seconds(is_tcp: bool) -> u32 {
    if is_tcp { TRANSIENT_SECONDS } else { QUESTION_SECONDS }
}

/// For how long any other session is kept.
#[inline(always)]
const fn lasting_seconds(flags: u64, is_tcp: bool) -> u32 {
    match (is_tcp, SessionState(flags).has_ended()) {
        (false, _) => DATAGRAMS_SECONDS,
        (true, true) => HALF_CLOSED_SECONDS,
        (true, false) => ESTABLISHED_SECONDS,
    }
}

#[inline(always)]
const fn is_transient(flags: u64) -> bool {
    const BOTH: u64 = SessionState::CLIENT_FIN | SessionState::BACKEND_FIN;
    flags & SessionState::ESTABLISHED == 0 || flags & SessionState::RESET != 0 || flags & BOTH == BOTH
}

impl core::fmt::Debug for SessionState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SessionState(flags {:#x}, last second {})", self.0 as u16, self.last().0)
    }
}

/// An element of the `sessions` array: one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Session {
    /// The [`SessionState`].
    pub state: u64,
    /// The client's address.
    pub client: Address,
    /// The service's address.
    pub service: Address,
    /// The backend's address.
    pub backend: Address,
    /// The client's port, host byte order, as all of them.
    pub client_port: u16,
    /// The service's port.
    pub service_port: u16,
    /// The backend's port.
    pub backend_port: u16,
    /// The backend's slot. If another address stands there, the backend is gone.
    pub slot: u16,
}

const _: () = assert!(size_of::<Session>() == 64, "a session is one cache line");

impl Session {
    /// Whether it is the session of a flow, given that it is one of the flow's protocol.
    #[inline(always)]
    pub fn is_of(&self, flow: &Flow) -> bool {
        self.client == flow.source
            && self.client_port == flow.source_port
            && self.service == flow.destination
            && self.service_port == flow.destination_port
    }
}

/// An element of the `node_addresses` array: an address that sessions come from, and its ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NodeAddress {
    /// The address.
    pub address: Address,
    /// The first port that sessions may have; 0 in an element that is not used.
    pub first_port: u16,
    /// The last port that they may have.
    pub last_port: u16,
    /// 1 if it serves every backend of its family, 0 if only those whose `source` it is.
    pub is_shared: u32,
}

impl NodeAddress {
    /// How many ports it has for sessions of one protocol.
    #[inline(always)]
    pub const fn ports(&self) -> u32 {
        if self.first_port == 0 { 0 } else { (self.last_port as u32 + 1).saturating_sub(self.first_port as u32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 0xfedc_ba98_7654_3210;

    fn at(seconds: u64) -> Second {
        Second::new(seconds)
    }

    fn opened(is_tcp: bool) -> SessionState {
        SessionState::opened(DirectoryPlace::of(HASH, 5), is_tcp, at(100))
    }

    /// The state after these packets, all in second 100.
    fn after(is_tcp: bool, marks: &[Mark]) -> SessionState {
        marks.iter().fold(opened(is_tcp), |state, mark| state.after(*mark, is_tcp, at(100)))
    }

    #[test]
    fn a_number_keeps_its_parts() {
        for (address, is_tcp, port) in [(0, true, 1), (3, false, 65535), (2, true, 1024), (1, false, 1)] {
            let id = SessionId::new(address, is_tcp, port);
            assert!(id.number() < crate::MAX_SESSIONS);
            assert_eq!((id.address(), id.is_tcp(), id.port()), (address, is_tcp, port));
        }
        assert_eq!(after(true, &[Mark::Reset]).place(), DirectoryPlace::of(HASH, 5));
    }

    #[test]
    fn every_state_has_its_time() {
        use Mark::{Backend, BackendFin, Client, ClientFin, Opening, Reset};
        let cases: [(bool, &[Mark], u32); 13] = [
            (true, &[], TRANSIENT_SECONDS),
            (true, &[Client, Opening], TRANSIENT_SECONDS),
            (true, &[Backend, Opening], TRANSIENT_SECONDS),
            (true, &[Backend, Client], ESTABLISHED_SECONDS),
            (true, &[Backend, Client, Opening, Backend], ESTABLISHED_SECONDS),
            (true, &[Backend, Client, ClientFin], HALF_CLOSED_SECONDS),
            (true, &[Backend, Client, BackendFin, Client], HALF_CLOSED_SECONDS),
            (true, &[Backend, ClientFin, BackendFin, Client], TRANSIENT_SECONDS),
            (true, &[Backend, Client, Reset], TRANSIENT_SECONDS),
            (true, &[Reset], TRANSIENT_SECONDS),
            (false, &[Client, Client], QUESTION_SECONDS),
            (false, &[Backend], QUESTION_SECONDS),
            (false, &[Backend, Client], DATAGRAMS_SECONDS),
        ];
        for (is_tcp, marks, seconds) in cases {
            let (state, last) = (after(is_tcp, marks), 100 + u64::from(seconds));
            assert!(!state.is_free(at(last)) && state.is_free(at(last + 1)), "{marks:?}");
            assert_eq!(state.rank(is_tcp, at(last + 1)), Some(0), "{marks:?}");
        }
    }

    #[test]
    fn a_syn_begins_anew_what_ended_before_it_was_established() {
        use Mark::{Backend, BackendFin, Client, ClientFin, Opening, Reset};
        for marks in [&[Reset] as &[Mark], &[Backend, Reset], &[BackendFin], &[ClientFin]] {
            assert!(after(true, marks).has_ended() && !after(true, marks).is_spent(), "{marks:?}");
            assert_eq!(after(true, marks).after(Opening, true, at(100)), opened(true), "{marks:?}");
        }
        for end in [Reset, ClientFin, BackendFin] {
            let state = after(true, &[Backend, Client, end]);
            assert!(state.is_spent(), "{end:?}");
            assert_eq!(state.after(Opening, true, at(100)), state, "{end:?}");
        }
        assert!(!after(true, &[Backend, Client]).is_spent());
    }

    #[test]
    fn a_packet_of_the_same_second_changes_nothing() {
        let state = after(true, &[Mark::Backend, Mark::Client]);
        assert_eq!(state.after(Mark::Client, true, at(100)), state);
        assert_ne!(state.after(Mark::Client, true, at(101)), state);
    }

    #[test]
    fn while_ports_are_short_only_what_is_transient_is_given_away_and_never_at_once() {
        use Mark::{Backend, BackendFin, Client, ClientFin};
        for is_tcp in [true, false] {
            for marks in [&[] as &[Mark], &[Backend], &[Backend, ClientFin, BackendFin]] {
                let state = after(is_tcp, marks);
                assert_eq!(state.rank(is_tcp, at(103)), None, "{marks:?}");
                let (young, old) = (state.rank(is_tcp, at(104)), state.rank(is_tcp, at(105)));
                assert!(young > old && old > Some(0), "{marks:?}");
            }
            for marks in [&[Backend, Client] as &[Mark], &[Backend, Client, ClientFin]] {
                assert_eq!(after(is_tcp, marks).rank(is_tcp, at(200)), None, "{marks:?}");
            }
        }
    }

    #[test]
    fn times_survive_the_wrap_and_days_of_silence() {
        for start in [0, 5, (1 << 28) - 1, 3 << 28] {
            let state = SessionState::opened(DirectoryPlace::of(HASH, 0), true, at(start));
            assert!(!state.is_free(at(start + 60)) && state.is_free(at(start + 61)));
            assert!(state.is_free(at(start + 86_400 * 365)));
        }
        // Another CPU has read the clock a second later.
        assert_eq!(opened(true).rank(true, at(99)), None);
    }

    #[test]
    fn what_is_being_written_is_nobodys_to_take_or_read() {
        let busy = SessionState::BUSY;
        assert!(!busy.is_open() && !busy.is_free(at(0)) && !busy.is_free(at(20_000)) && !busy.is_over(at(20_000)));
        assert_eq!(busy.rank(true, at(100)), None);
        assert!(SessionState::EMPTY.is_free(at(0)) && !SessionState::EMPTY.is_open());
    }

    #[test]
    fn an_address_has_the_ports_of_its_range() {
        let address = |first_port, last_port| NodeAddress { first_port, last_port, ..NodeAddress::default() };
        assert_eq!([address(1024, 32767).ports(), address(7, 7).ports(), address(0, 0).ports()], [31744, 1, 0]);
    }
}
