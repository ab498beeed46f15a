//! What the reference knows of sessions.

use lb_common::REST_SECONDS;
use tests::packet::End;

/// What somebody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Syn,
    Data,
    Fin,
    Rst,
}

/// What the reference knows of a session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) client: usize,
    pub(crate) backend: End,
    pub(crate) spoke_s: u64,
    pub(crate) answered: bool,
    pub(crate) established: bool,
    pub(crate) client_fin: bool,
    pub(crate) backend_fin: bool,
    pub(crate) reset: bool,
}

impl Session {
    const fn may_end(&self) -> bool {
        !self.established || self.reset || (self.client_fin && self.backend_fin)
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.reset || self.client_fin || self.backend_fin
    }

    /// For how long it is kept, in seconds.
    const fn keep_s(&self) -> u64 {
        match (is_udp(self.client), self.may_end(), self.has_ended()) {
            (true, true, _) => 30,
            (true, false, _) => 120,
            (false, true, _) => 60,
            (false, false, true) => 240,
            (false, false, false) => 7500,
        }
    }

    /// Whether its port is free.
    pub(crate) const fn is_over(&self, now_s: u64) -> bool {
        now_s - self.spoke_s > self.keep_s()
    }

    /// Whether nobody else may have its port, even if there is no other.
    pub(crate) fn is_needed(&self, now_s: u64) -> bool {
        now_s - self.spoke_s <= u64::from(REST_SECONDS) || !(self.may_end() || self.is_over(now_s))
    }

    pub(crate) fn note(&mut self, from_client: bool, kind: Kind, now_s: u64) {
        self.spoke_s = now_s;
        match (kind, from_client) {
            (Kind::Rst, _) => self.reset = true,
            // What ended before it was established begins anew.
            (Kind::Syn, true) if self.has_ended() && !self.established => {
                (self.answered, self.client_fin, self.backend_fin, self.reset) = (false, false, false, false);
            }
            (Kind::Syn, true) => {}
            (_, true) => {
                self.established |= self.answered;
                self.client_fin |= kind == Kind::Fin;
            }
            (_, false) => {
                self.answered = true;
                self.backend_fin |= kind == Kind::Fin;
            }
        }
    }
}

pub(crate) const fn is_udp(client: usize) -> bool {
    client % 2 == 1
}
