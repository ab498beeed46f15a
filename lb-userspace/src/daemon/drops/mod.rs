//! Drops that somebody looks at.
//!
//! The datapath records drops only while somebody looks: a follower, or somebody who has asked lately who is behind most of
//! them. It does so under a lease, which the daemon's tick renews and which ends by itself if the daemon does.

mod event;
mod filter;
mod reader;

use lb_common::{DropReason, DropSample, Features, SAMPLE_INTERVAL_BITS, Settings};
use tokio::sync::mpsc;

pub(super) use self::reader::follow;
use self::{event::Describer, filter::Filter};
use super::{clock, state::State};
use crate::{
    api::types::{ApiError, DropCount, DropEvent, DropFilter, Drops, TopDrops, TopEntry},
    config::prefix,
    dataplane::{Dataplane as _, DataplaneError},
    plan::Change,
    telemetry::{By, Estimate, Heaviest, Rates, Subject, Window},
};

/// How many drops are recorded in a second, on all CPUs together: as many as a terminal shows, and so few that a
/// flood does not notice.
const SAMPLES_PER_SECOND: u64 = 1000;

/// How long the datapath goes on recording without hearing from the daemon.
const LEASE_NS: u64 = 10_000_000_000;

/// For how long drops are recorded for whoever has asked for the top: as long as they are remembered.
const KEEP_LOOKING_S: u64 = 300;

/// How many events may wait for a follower. One that is slower than that misses some, and is told so.
const FOLLOWER_QUEUE: usize = 1024;

/// The most entries that anybody may ask for.
const MAX_TOP: usize = 1000;

/// What the daemon knows of drops.
#[derive(Default)]
pub(in crate::daemon) struct Watch {
    followers: Vec<Follower>,
    /// Until then drops are recorded although nobody follows.
    asked_until_s: u64,
    window: Window,
    rates: Rates,
}

/// Somebody who sees drops as they come.
struct Follower {
    filter: Filter,
    events: mpsc::Sender<DropEvent>,
    missed: u64,
}

impl Follower {
    /// Hands on an event, unless the follower has not kept up.
    fn tell(&mut self, event: &DropEvent) {
        let event = DropEvent { missed: self.missed, ..event.clone() };
        match self.events.try_send(event) {
            Ok(()) => self.missed = 0,
            Err(mpsc::error::TrySendError::Full(_)) => self.missed += 1,
            // The next tick lets it go.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}

impl State {
    /// Drops by reason.
    pub(in crate::daemon) fn drops(&self) -> Result<Drops, ApiError> {
        let (counts, now_ms) = (self.drop_counts().map_err(ApiError::failure)?, clock::now_ns() / 1_000_000);
        let count = |(index, (reason, packets)): (usize, (&DropReason, u64))| {
            let count = DropCount {
                packets,
                per_second: self.watch.rates.of(index, now_ms, packets),
                explanation: reason.explanation().to_owned(),
                advice: reason.advice().to_owned(),
            };
            (reason.name().to_owned(), count)
        };
        Ok(Drops { reasons: DropReason::ALL.iter().zip(counts).enumerate().map(count).collect() })
    }

    /// The counters of all reasons.
    fn drop_counts(&self) -> Result<Vec<u64>, DataplaneError> {
        let counters = self.kernel.counters();
        DropReason::ALL.iter().map(|reason| counters.drops(*reason)).collect()
    }

    /// Has drops recorded and sent to whoever asks, until the receiver is dropped.
    pub(in crate::daemon) fn follow_drops(
        &mut self,
        filter: &DropFilter,
    ) -> Result<mpsc::Receiver<DropEvent>, ApiError> {
        let filter = Filter::new(filter, &self.model)?;
        let (events, receiver) = mpsc::channel(FOLLOWER_QUEUE);
        self.watch.followers.push(Follower { filter, events, missed: 0 });
        self.renew_lease().map_err(ApiError::failure)?;
        Ok(receiver)
    }

    /// Who is behind most of the drops of the last minutes.
    pub(in crate::daemon) fn top_drops(&mut self, by: By, count: usize) -> Result<TopDrops, ApiError> {
        if !(1..=MAX_TOP).contains(&count) {
            return Err(ApiError::usage(format_args!("{count} entries cannot be shown: ask for 1 to {MAX_TOP}")));
        }
        let now_s = clock::now_s();
        self.watch.asked_until_s = now_s + KEEP_LOOKING_S;
        self.renew_lease().map_err(ApiError::failure)?;
        let Heaviest { seconds, samples, drops, entries } = self.watch.window.heaviest(now_s, by, count);
        let entries = entries.into_iter().map(|(subject, estimate)| entry(subject, estimate, drops)).collect();
        Ok(TopDrops { by, seconds, drops, samples, entries })
    }

    /// Takes what the datapath has recorded.
    pub(in crate::daemon) fn note_samples(&mut self, samples: &[DropSample]) {
        let now_s = clock::now_s();
        samples.iter().for_each(|sample| self.watch.window.add(now_s, sample));
        if self.watch.followers.is_empty() {
            return;
        }
        let describer = Describer::new(&self.snapshot, &self.places, &self.interfaces, &self.model.firewall.rules);
        for sample in samples {
            let Some(event) = describer.describe(sample) else { continue };
            for follower in self.watch.followers.iter_mut().filter(|follower| follower.filter.wants(sample, &event)) {
                follower.tell(&event);
            }
        }
    }

    /// Lets followers go that are gone, renews or ends the lease, and reads the counters for their rates.
    pub(in crate::daemon) fn tick_drops(&mut self) {
        self.watch.followers.retain(|follower| !follower.events.is_closed());
        if self.has_watchers() {
            self.watch.window.note_second(clock::now_s());
        }
        let noted = self.drop_counts().map(|counts| self.watch.rates.note(clock::now_ns() / 1_000_000, counts));
        if let Err(error) = noted.and(self.renew_lease()) {
            tracing::error!("drops could not be counted or recorded: {:#}", anyhow::Error::from(error));
        }
    }

    /// Lets all followers go, and ends the lease.
    pub(in crate::daemon) fn stop_watching(&mut self) {
        (self.watch.followers, self.watch.asked_until_s) = (Vec::new(), 0);
        if let Err(error) = self.renew_lease() {
            tracing::warn!(%error, "the datapath goes on recording drops for some seconds");
        }
    }

    fn has_watchers(&self) -> bool {
        !self.watch.followers.is_empty() || clock::now_s() < self.watch.asked_until_s
    }

    /// Has drops recorded for some more time if somebody looks, and no longer if nobody does.
    fn renew_lease(&mut self) -> Result<(), DataplaneError> {
        let settings = if self.has_watchers() {
            leased(self.snapshot.settings, clock::now_ns() + LEASE_NS)
        } else {
            unleased(self.snapshot.settings)
        };
        if settings != self.snapshot.settings {
            self.kernel.perform(&Change::PutSettings(Box::new(settings)))?;
            self.snapshot.settings = settings;
        }
        Ok(())
    }
}

/// Settings with which drops are recorded until a time.
fn leased(settings: Settings, until_ns: u64) -> Settings {
    let cpus = aya::util::online_cpus().map_or(1, |cpus| cpus.len().max(1) as u64);
    let per_interval = (SAMPLES_PER_SECOND << SAMPLE_INTERVAL_BITS) / 1_000_000_000 / cpus;
    Settings {
        features: settings.features | Features::SAMPLE,
        sample_until_ns: until_ns,
        samples_per_interval: per_interval.max(1),
        ..settings
    }
}

/// Settings with which no drop is recorded.
fn unleased(settings: Settings) -> Settings {
    Settings {
        features: settings.features & !Features::SAMPLE,
        sample_until_ns: 0,
        samples_per_interval: 0,
        ..settings
    }
}

/// A line of the answer, of `total` drops in all.
fn entry(subject: Subject, estimate: Estimate, total: u64) -> TopEntry {
    let (drops, plus_minus) = estimate.with_error();
    let share = if total == 0 { 0.0 } else { drops as f64 / total as f64 };
    TopEntry { key: key(subject), drops, plus_minus, share }
}

fn key(subject: Subject) -> String {
    match subject {
        Subject::Source(address) => std::net::IpAddr::from(address).to_string(),
        Subject::Prefix(network, bits) => {
            ipnet::IpNet::new(network.into(), bits).map(prefix::written).unwrap_or_default()
        }
        Subject::Port(protocol, 0) => event::protocol(protocol),
        Subject::Port(protocol, port) => format!("{port}/{}", event::protocol(protocol)),
        Subject::Reason(index) => DropReason::from_index(index).map_or("unknown", DropReason::name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> lb_common::Address {
        text.parse::<std::net::IpAddr>().unwrap().into()
    }

    #[test]
    fn subjects_are_written_as_operators_write_them() {
        let cases = [
            (Subject::Source(subject("192.0.2.1")), "192.0.2.1"),
            (Subject::Source(subject("2001:db8::1")), "2001:db8::1"),
            (Subject::Prefix(subject("192.0.2.0"), 24), "192.0.2.0/24"),
            (Subject::Prefix(subject("2001:db8:1::"), 48), "2001:db8:1::/48"),
            (Subject::Port(6, 80), "80/tcp"),
            (Subject::Port(17, 53), "53/udp"),
            (Subject::Port(1, 0), "icmp"),
            (Subject::Port(132, 0), "132"),
            (Subject::Reason(DropReason::Denied as u32), "denied"),
        ];
        for (subject, expected) in cases {
            assert_eq!(key(subject), expected);
        }
    }

    #[test]
    fn the_budget_is_that_of_all_cpus_together() {
        let settings = leased(Settings::default(), 7);
        let cpus = aya::util::online_cpus().unwrap().len() as u64;
        let a_second = (settings.samples_per_interval * cpus * 1_000_000_000) >> SAMPLE_INTERVAL_BITS;
        assert!(a_second <= SAMPLES_PER_SECOND.max(8 * cpus) && a_second > SAMPLES_PER_SECOND / 2, "{a_second}");
        assert_eq!((settings.sample_until_ns, settings.features), (7, Features::SAMPLE));
        assert_eq!(unleased(settings), Settings::default());
    }

    #[test]
    fn a_follower_that_is_too_slow_is_told_what_it_has_missed() {
        let (events, mut receiver) = mpsc::channel(2);
        let mut follower = Follower { filter: Filter::default(), events, missed: 0 };
        let event = crate::api::memory::drop_events().remove(0);
        for _ in 0..5 {
            follower.tell(&event);
        }
        assert_eq!(receiver.try_recv().map(|event| event.missed), Ok(0));
        assert_eq!(receiver.try_recv().map(|event| event.missed), Ok(0));
        follower.tell(&event);
        assert_eq!(receiver.try_recv().map(|event| event.missed), Ok(3));
        follower.tell(&event);
        assert_eq!(receiver.try_recv().map(|event| event.missed), Ok(0));
    }
}
