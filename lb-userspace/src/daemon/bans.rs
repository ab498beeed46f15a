//! Sources that a limit has banned, until their time is over.
//!
//! Problem: whoever is over a limit may have forged the source of his packets, so a ban can hit the innocent, and a flood from
//! random sources would ban the world. Mechanism: nothing is banned that the operator or the node needs (see
//! [`Sheltered`]), and if more than [`MOST_NEW`] sources exceed a limit in [`WINDOW`], they are not banned but only limited,
//! because no honest crowd looks like that. Trade-off: who forges slowly can still have some sources banned; limits with a ban are
//! for what takes a real client to exceed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::{self, Write},
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{Limit, LimitAction, LimitBy, Moment};

const FILE: &str = "bans.json";

/// How many sources one limit may ban in [`WINDOW`].
const MOST_NEW: usize = 100;
const WINDOW: Duration = Duration::from_secs(10);

/// A source that is denied for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ban {
    /// The limit that it was over.
    pub(super) limit: String,
    /// When it is over.
    pub(super) until: Moment,
}

/// What became of a source over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is banned now.
    Banned(IpNet),
    /// It was banned already.
    Known,
    /// It must not be banned.
    Sheltered(IpNet),
    /// Too many are over the limit at once.
    Crowd {
        /// Whether this is the first of the crowd.
        is_new: bool,
    },
}

/// Addresses that no ban may cover.
pub(super) trait Sheltered {
    /// Whether a prefix covers one of them.
    fn is_sheltered(&self, prefix: IpNet) -> bool;
}

impl<F: Fn(IpNet) -> bool> Sheltered for F {
    fn is_sheltered(&self, prefix: IpNet) -> bool {
        self(prefix)
    }
}

/// All bans.
#[derive(Debug, Default)]
pub(super) struct Bans {
    bans: BTreeMap<IpNet, Ban>,
    /// How many each limit has banned, since when.
    recent: HashMap<String, (Instant, usize)>,
    is_changed: bool,
}

impl Bans {
    /// The bans that a former daemon has left.
    pub(super) fn read(state: &Path) -> Self {
        let path = state.join(FILE);
        let read = fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::other));
        let bans = read.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "could not read {}; bans of before are lifted", path.display());
            }
            BTreeMap::new()
        });
        Self { bans, ..Self::default() }
    }

    /// Bans a source that is over a limit, if it may be.
    pub(super) fn note(
        &mut self,
        limit: &Limit,
        source: IpAddr,
        sheltered: &impl Sheltered,
        now: Moment,
        instant: Instant,
    ) -> Option<Outcome> {
        let (LimitAction::Ban(duration), LimitBy::Source { v4, v6 }) = (limit.action, limit.by) else { return None };
        let prefix = IpNet::new(source, if source.is_ipv4() { v4 } else { v6 }).ok()?.trunc();
        if self.bans.contains_key(&prefix) {
            return Some(Outcome::Known);
        }
        if sheltered.is_sheltered(prefix) {
            return Some(Outcome::Sheltered(prefix));
        }
        let (since, count) = self.recent.entry(limit.name.clone()).or_insert((instant, 0));
        if instant.duration_since(*since) >= WINDOW {
            (*since, *count) = (instant, 0);
        }
        *count += 1;
        if *count > MOST_NEW {
            return Some(Outcome::Crowd { is_new: *count == MOST_NEW + 1 });
        }
        self.bans.insert(prefix, Ban { limit: limit.name.clone(), until: now.after(duration) });
        self.is_changed = true;
        Some(Outcome::Banned(prefix))
    }

    /// Lifts bans whose time is over, and those of limits that are no more. Returns whether there were any.
    pub(super) fn expire(&mut self, limits: &[Limit], now: Moment) -> bool {
        let before = self.bans.len();
        self.bans.retain(|_, ban| ban.until > now && limits.iter().any(|limit| limit.name == ban.limit));
        let is_less = self.bans.len() < before;
        self.is_changed |= is_less;
        is_less
    }

    /// The bans, by prefix.
    pub(super) const fn all(&self) -> &BTreeMap<IpNet, Ban> {
        &self.bans
    }

    /// The prefixes.
    pub(super) fn prefixes(&self) -> BTreeSet<IpNet> {
        self.bans.keys().copied().collect()
    }

    /// Keeps what has changed for the next daemon.
    pub(super) fn write(&mut self, state: &Path) -> io::Result<()> {
        if !std::mem::take(&mut self.is_changed) {
            return Ok(());
        }
        let mut file = tempfile::Builder::new().prefix(".bans-").tempfile_in(state)?;
        file.write_all(&serde_json::to_vec(&self.bans)?)?;
        file.as_file().sync_all()?;
        file.persist(state.join(FILE))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LimitMeasure;

    fn limit(v4: u8) -> Limit {
        Limit {
            name: "clients".to_owned(),
            by: LimitBy::Source { v4, v6: 64 },
            services: Vec::new(),
            measure: LimitMeasure::Packets,
            rate: 1,
            burst: 1,
            action: LimitAction::Ban(Duration::from_secs(60)),
        }
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    const NOBODY: fn(IpNet) -> bool = |_| false;
    const START: Moment = Moment::from_seconds(1000);

    #[test]
    fn a_ban_is_for_the_prefix_and_the_time_of_its_limit() {
        let mut bans = Bans::default();
        let (limit, now) = (limit(24), Instant::now());
        let prefix: IpNet = "10.0.0.0/24".parse().unwrap();
        assert_eq!(bans.note(&limit, address(7), &NOBODY, START, now), Some(Outcome::Banned(prefix)));
        assert_eq!(bans.note(&limit, address(8), &NOBODY, START, now), Some(Outcome::Known));
        let limits = [limit];
        assert!(!bans.expire(&limits, Moment::from_seconds(1059)));
        assert!(bans.expire(&limits, Moment::from_seconds(1060)) && bans.all().is_empty());
    }

    #[test]
    fn who_is_sheltered_is_not_banned() {
        let mut bans = Bans::default();
        let own: IpAddr = address(9);
        let sheltered = |prefix: IpNet| prefix.contains(&own);
        let outcome = bans.note(&limit(24), address(7), &sheltered, START, Instant::now());
        assert_eq!(outcome, Some(Outcome::Sheltered("10.0.0.0/24".parse().unwrap())));
        assert!(bans.all().is_empty());
    }

    #[test]
    fn a_crowd_is_not_banned() {
        let mut bans = Bans::default();
        let now = Instant::now();
        let mut note = |number, at| bans.note(&limit(32), address(number), &NOBODY, START, at).unwrap();
        for number in 0..100 {
            assert!(matches!(note(number, now), Outcome::Banned(_)));
        }
        assert_eq!(note(100, now), Outcome::Crowd { is_new: true });
        assert_eq!(note(101, now), Outcome::Crowd { is_new: false });
        assert!(matches!(note(102, now + WINDOW), Outcome::Banned(_)));
        assert_eq!(bans.all().len(), 101);
    }

    #[test]
    fn bans_survive_a_restart_and_go_with_their_limit() {
        let directory = tempfile::tempdir().unwrap();
        let mut bans = Bans::default();
        bans.note(&limit(32), address(7), &NOBODY, START, Instant::now());
        bans.write(directory.path()).unwrap();
        let mut read = Bans::read(directory.path());
        assert_eq!(read.all(), bans.all());
        assert!(read.expire(&[], START) && read.all().is_empty());
        assert!(Bans::read(&directory.path().join("nowhere")).all().is_empty());
    }

    #[test]
    fn a_limit_that_only_drops_bans_nobody() {
        let dropping = Limit { action: LimitAction::Drop, ..limit(32) };
        assert_eq!(Bans::default().note(&dropping, address(7), &NOBODY, START, Instant::now()), None);
    }
}
