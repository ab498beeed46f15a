//! What the rings of the recent past were, so that a node that starts afresh can make the rows that it would have.
//!
//! Problem: after a reboot the tables are empty, but the connections of this morning's drain are still there, and other
//! nodes of a cluster still send them where they belong. Mechanism: each time that the backends of a service change, who
//! could take flows and who could keep them is noted with the time of day; at a fresh start [`replay`] lets the rules for
//! rows ([`super::rows`]) go through these epochs again. Trade-off: which flows had been remembered is lost. Those that
//! were elsewhere than their row's default are broken; those that no change had moved to a new owner are not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::{MAX_BACKENDS, Row};
use serde::{Deserialize, Serialize};

use super::rows::{self, Census, Ripeness, Times};
use crate::{
    model::{RingSettings, Track},
    ring::{self, Member},
};

/// More epochs of one service than this are not kept: each costs the building of a ring at the next fresh start.
const LONGEST: usize = 64;

/// The epochs of every service, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    services: BTreeMap<String, Vec<Epoch>>,
}

/// A time in which a service's backends were the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Epoch {
    /// When it began, in seconds since 1970.
    pub(super) since_s: u64,
    /// How the ring was built.
    pub(super) ring: RingSettings,
    /// Who was there.
    pub(super) parties: Vec<Party>,
}

/// A backend, as it was in an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Party {
    /// Its name.
    pub(super) name: String,
    /// Its weight, 0 if it took no new flows.
    pub(super) weight: u32,
    /// Whether it kept those that it had.
    pub(super) serves: bool,
}

impl History {
    /// Notes how a service is from now on; whether that is news. Rows of the service flip after `flip_s`.
    pub(super) fn note(&mut self, service: &str, epoch: Epoch, flip_s: u64) -> bool {
        let epochs = self.services.entry(service.to_owned()).or_default();
        if epochs.last().is_some_and(|last| (&last.ring, &last.parties) == (&epoch.ring, &epoch.parties)) {
            return false;
        }
        epochs.push(epoch);
        epochs.drain(..first_needed(epochs, flip_s));
        true
    }

    /// Forgets other services than these; whether there were any.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) -> bool {
        let before = self.services.len();
        self.services.retain(|service, _| is_there(service));
        self.services.len() != before
    }

    /// What is known of a service.
    pub(super) fn of(&self, service: &str) -> &[Epoch] {
        self.services.get(service).map_or(&[], Vec::as_slice)
    }
}

/// The first epoch that rows may still depend on. When one has lasted for as long as rows move, all of them have flipped,
/// and nothing before it matters.
fn first_needed(epochs: &[Epoch], flip_s: u64) -> usize {
    let lasted = |pair: &[Epoch]| pair[1].since_s.saturating_sub(pair[0].since_s) >= flip_s;
    let after_rest = epochs.windows(2).rposition(lasted).unwrap_or(0);
    after_rest.max(epochs.len().saturating_sub(LONGEST))
}

/// What decides how rows are replayed.
pub(super) struct Replay<'a> {
    /// The service's name.
    pub(super) service: &'a str,
    pub(super) track: Track,
    pub(super) flip_s: u64,
    /// The slot of a backend by its name.
    pub(super) slot: &'a dyn Fn(&str) -> Option<u16>,
    /// In seconds since 1970.
    pub(super) now_s: u64,
}

/// The rows that these epochs have led to, and when they changed, in seconds since 1970; `None` if there are none.
///
/// Backends that are there no more have slots of nobody's, which no backend of the tables ever has.
pub(super) fn replay(epochs: &[Epoch], replay: &Replay<'_>) -> Option<(Arc<[Row]>, Times)> {
    let (first, others) = epochs.split_first()?;
    let mut slots = Slots { known: replay.slot, former: BTreeMap::new() };
    let mut rows: Arc<[Row]> = owners(first, replay, &mut slots).into_iter().map(Row::settled).collect();
    let mut times = Times::new(rows.len(), first.since_s.cast_signed());
    for epoch in others {
        (rows, times) = rested(rows, times, replay, epoch.since_s);
        let owners = owners(epoch, replay, &mut slots);
        let serving: BTreeSet<u16> =
            epoch.parties.iter().filter(|party| party.serves).map(|party| slots.of(&party.name)).collect();
        if owners.len() != rows.len() {
            times = Times::new(owners.len(), epoch.since_s.cast_signed());
        }
        let before = rows::inherited(&rows, owners.len());
        let moved =
            |(row, owner): (&Row, &u16)| rows::moved(*row, *owner, &|slot| serving.contains(&slot), replay.track);
        rows = before.iter().zip(&owners).map(moved).collect();
        times.note(&before, &rows, epoch.since_s.cast_signed());
    }
    Some(rested(rows, times, replay, replay.now_s))
}

/// The rows after nothing has happened until a time.
fn rested(rows: Arc<[Row]>, mut times: Times, replay: &Replay<'_>, until_s: u64) -> (Arc<[Row]>, Times) {
    let census = Census { began_s: until_s, ..Census::default() };
    let now_s = until_s.cast_signed();
    let ripeness = Ripeness { census: &census, service: 0, track: replay.track, flip_s: replay.flip_s, now_s };
    let ripened = rows::ripened(&rows, &times, &ripeness);
    times.note(&rows, &ripened, now_s);
    (ripened, times)
}

/// The slot of each row's owner in an epoch.
fn owners(epoch: &Epoch, replay: &Replay<'_>, slots: &mut Slots<'_>) -> Vec<u16> {
    let members: Vec<Member> =
        epoch.parties.iter().map(|party| Member { id: ring::identity(&party.name), weight: party.weight }).collect();
    let places: Vec<u16> = epoch.parties.iter().map(|party| slots.of(&party.name)).collect();
    let owners = ring::build(&epoch.ring, epoch.ring.seed_of(replay.service), &members);
    owners.iter().map(|owner| owner.map_or(Row::NOBODY, |index| places[usize::from(index)])).collect()
}

/// The backends' slots.
struct Slots<'a> {
    known: &'a dyn Fn(&str) -> Option<u16>,
    former: BTreeMap<String, u16>,
}

impl Slots<'_> {
    fn of(&mut self, name: &str) -> u16 {
        if let Some(slot) = (self.known)(name).or_else(|| self.former.get(name).copied()) {
            return slot;
        }
        // There are about as many numbers above the slots as below; with all of them taken, it is nobody's.
        let free = u16::try_from(MAX_BACKENDS as usize + self.former.len()).unwrap_or(Row::NOBODY);
        let slot = free.min(Row::NOBODY);
        self.former.insert(name.to_owned(), slot);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(since_s: u64, taking: &[&str]) -> Epoch {
        let party = |name: &&str| Party { name: (*name).to_owned(), weight: 100, serves: true };
        Epoch { since_s, ring: RingSettings::default(), parties: taking.iter().map(party).collect() }
    }

    #[test]
    fn only_what_rows_may_depend_on_is_kept() {
        let mut history = History::default();
        let mut note = |since_s, taking: &[&str]| {
            let is_news = history.note("web", epoch(since_s, taking), 3600);
            (is_news, history.of("web").iter().map(|epoch| epoch.since_s).collect::<Vec<_>>())
        };
        assert_eq!(note(1000, &["a"]), (true, vec![1000]));
        assert_eq!(note(1500, &["a"]), (false, vec![1000]), "nothing has changed");
        assert_eq!(note(2000, &["a", "b"]), (true, vec![1000, 2000]));
        assert_eq!(note(5599, &["b"]), (true, vec![1000, 2000, 5599]), "rows may still move since the one before");
        assert_eq!(note(9199, &["a"]), (true, vec![5599, 9199]), "all rows have flipped");
    }

    #[test]
    fn a_restless_service_has_a_bounded_history() {
        let mut history = History::default();
        for second in 0..1000 {
            history.note("web", epoch(second, if second % 2 == 0 { &["a"] } else { &["b"] }), 3600);
        }
        assert_eq!((history.of("web").len(), history.of("web")[0].since_s), (LONGEST, 1000 - LONGEST as u64));
    }

    #[test]
    fn services_that_are_no_more_are_forgotten() {
        let mut history = History::default();
        history.note("web", epoch(1000, &["a"]), 3600);
        assert!(!history.retain(|service| service == "web"));
        assert!(history.retain(|_| false) && history.of("web").is_empty());
    }
}
