//! The sessions of `full-nat`, mapped into this process.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::{Map, MapError};
use lb_common::{MAX_SESSIONS, Mark, Second, Session, SessionId, SessionState};
use zerocopy::{FromBytes, IntoBytes};

use super::mapped::Mapped;

/// The words of a session.
const WORDS: usize = size_of::<Session>() / size_of::<u64>();

/// The `sessions` array.
pub struct SessionArray(Mapped);

impl SessionArray {
    /// Maps the array.
    pub(super) fn map(map: Map) -> Result<Self, MapError> {
        Mapped::new(map, MAX_SESSIONS as usize * WORDS).map(Self)
    }

    /// The sessions of some ports of a node's address that are open, whether or not anybody still needs them.
    ///
    /// It reads one cache line for each port and protocol: two milliseconds for the default ports.
    pub fn open(&self, address: u32, ports: RangeInclusive<u16>) -> impl Iterator<Item = OpenSession<'_>> {
        let ids = [true, false].into_iter().flat_map(move |is_tcp| {
            let ports = ports.clone();
            ports.map(move |port| SessionId::new(address, is_tcp, port))
        });
        ids.filter_map(|id| {
            let first = id.number() as usize * WORDS;
            OpenSession::at(id, self.0.words().get(first..first + WORDS)?)
        })
    }
}

/// A session that is open.
#[derive(Debug)]
pub struct OpenSession<'a> {
    state: &'a AtomicU64,
    /// Its number.
    pub id: SessionId,
    /// The session as it was read: all of it at one time.
    pub session: Session,
}

impl<'a> OpenSession<'a> {
    /// The session in an element of the array, if one is open there.
    pub fn at(id: SessionId, words: &'a [AtomicU64]) -> Option<Self> {
        let state = words.first()?;
        let before = state.load(Ordering::Acquire);
        if !SessionState::from_word(before).is_open() {
            return None;
        }
        let mut copy = [before; WORDS];
        for (copy, word) in copy.iter_mut().zip(words).skip(1) {
            *copy = word.load(Ordering::Acquire);
        }
        let session = Session::read_from_bytes(copy.as_bytes()).ok()?;
        // Refreshed meanwhile it is still the same; given to another it is new, and the next scan will see it.
        let same = SessionState::from_word(state.load(Ordering::Acquire));
        (same.is_open() && same.place() == SessionState::from_word(before).place()).then_some(Self {
            state,
            id,
            session,
        })
    }

    /// The state.
    pub const fn state(&self) -> SessionState {
        SessionState::from_word(self.session.state)
    }

    /// Ends a session whose backend is gone; its port is free after the time that any session rests. If a packet has changed it
    /// meanwhile, the next scan will end it.
    pub fn close(&self, now: Second) {
        let (old, new) = (self.session.state, self.state().after(Mark::Reset, self.id.is_tcp(), now).word());
        let _ = self.state.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed);
    }
}
