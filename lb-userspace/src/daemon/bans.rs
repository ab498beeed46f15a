//! Whether a source that is over a limit is banned.
//!
//! Problem: whoever is over a limit may have forged the source of his packets, so a ban can hit the innocent, and a flood from
//! random sources would ban the world. Mechanism: if more than [`MOST_NEW`] sources exceed a limit in [`WINDOW`], they are not
//! banned but only limited, because no honest crowd looks like that. Trade-off: who forges slowly can still have some sources
//! banned; limits with a ban are for what takes a real client to exceed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How many sources one limit may ban in [`WINDOW`].
const MOST_NEW: usize = 100;
const WINDOW: Duration = Duration::from_secs(10);

/// How many sources each limit has banned, by its name, since when.
#[derive(Debug, Default)]
pub(super) struct Crowds(HashMap<String, (Instant, usize)>);

/// What a limit may do about one more source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Ban it.
    Ban,
    /// Only drop what is over the limit: it is one of a crowd.
    Limit {
        /// Whether it is the first of them.
        is_first: bool,
    },
}

impl Crowds {
    /// What a limit may do about a source that it has not banned yet.
    pub(super) fn ask(&mut self, limit: &str, now: Instant) -> Leave {
        let (since, count) = self.0.entry(limit.to_owned()).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count <= MOST_NEW { Leave::Ban } else { Leave::Limit { is_first: *count == MOST_NEW + 1 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_not_banned() {
        let (mut crowds, now) = (Crowds::default(), Instant::now());
        assert!((0..100).all(|_| crowds.ask("clients", now) == Leave::Ban));
        assert_eq!(crowds.ask("clients", now), Leave::Limit { is_first: true });
        assert_eq!(crowds.ask("clients", now + WINDOW / 2), Leave::Limit { is_first: false });
        assert_eq!(crowds.ask("others", now), Leave::Ban, "each limit by itself");
        assert_eq!(crowds.ask("clients", now + WINDOW), Leave::Ban);
    }
}
