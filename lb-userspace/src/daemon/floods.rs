//! Which services are being flooded with SYNs, and the keys of the cookies that strangers are asked for then.
//!
//! While a service is not flooded, a sample of its flows tells how many handshakes are not finished; while it is, the
//! strangers tell who have been asked and have not answered. Protection begins with the first second above a rate, and ends
//! when it was below a lower one for a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use lb_common::{SYN_SAMPLE_ONE_IN, ServiceValue, SynEvent, SynTraffic};

use crate::{
    model::{Model, Protocol, Service, Syn, SynProtection},
    plan::{self, Guard, Snapshot},
};

/// For how long cookies are made with one key, in seconds. A cookie is good for one to two times this: a client's reset comes
/// after one round trip.
const EPOCH_S: u64 = 16;

/// The state of all services' protection.
pub(super) struct Floods {
    /// What the planner is to know.
    pub(super) guard: Guard,
    rotated_s: u64,
    seen: BTreeMap<String, Seen>,
}

/// What was last seen of a service.
#[derive(Clone, Copy)]
struct Seen {
    id: u32,
    traffic: SynTraffic,
    at_ms: u64,
    /// Handshakes a second that were not finished, between the last two looks.
    unfinished: u64,
    /// Since when the service is flooded, or is not, in seconds.
    since_s: u64,
    /// Since when the rate has been low enough for protection to end, in seconds.
    calm_since_s: Option<u64>,
}

/// Protection begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It begins, because so many handshakes a second are not finished.
    Begins(u64),
    /// It ends, after so many seconds.
    Ends(u64),
}

/// How it stands with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Handshakes a second that are not finished.
    pub(super) unfinished: u64,
    /// For how long it has been flooded, or not, in seconds.
    pub(super) seconds: u64,
}

impl Floods {
    /// Goes on with what a former daemon has left in the tables: its keys, and its services under protection. The keys are new if
    /// there was none.
    pub(super) fn after(
        snapshot: &Snapshot,
        model: &Model,
        now_s: u64,
        random: impl FnMut() -> io::Result<[u64; 2]>,
    ) -> io::Result<Self> {
        let present = plan::present(model, snapshot);
        let was_flooded = |service: &&Service| {
            present.get(service.name.as_str()).is_some_and(ServiceValue::is_guarded) && is_followed(service)
        };
        let flooded: BTreeSet<String> =
            model.services.iter().filter(was_flooded).map(|service| service.name.clone()).collect();
        let (keys, epoch) = (snapshot.syn.keys, snapshot.syn.epoch);
        let mut floods = Self { guard: Guard { keys, epoch, flooded }, rotated_s: now_s, seen: BTreeMap::new() };
        if epoch == 0 {
            floods.renew(2, now_s, random)?;
        }
        Ok(floods)
    }

    /// Begins a new epoch when it is time, if anybody is asked for cookies; whether it has.
    ///
    /// After a pause nothing that was made before it is good any more.
    pub(super) fn rotate(
        &mut self,
        model: &Model,
        now_s: u64,
        random: impl FnMut() -> io::Result<[u64; 2]>,
    ) -> io::Result<bool> {
        let guards = |service: &Service| plan::is_guarded(&self.guard, service);
        let passed = now_s.saturating_sub(self.rotated_s) / EPOCH_S;
        if passed == 0 || !model.services.iter().any(guards) {
            return Ok(false);
        }
        self.renew(passed.min(2), now_s, random)?;
        Ok(true)
    }

    fn renew(&mut self, epochs: u64, now_s: u64, mut random: impl FnMut() -> io::Result<[u64; 2]>) -> io::Result<()> {
        for _ in 0..epochs {
            let epoch = self.guard.epoch.wrapping_add(1);
            self.guard.keys[epoch as usize & 1] = random()?;
            self.guard.epoch = epoch;
        }
        self.rotated_s = now_s;
        Ok(())
    }

    /// Looks at what was counted of a service since the last look; what is new.
    pub(super) fn look(
        &mut self,
        service: &Service,
        id: u32,
        traffic: SynTraffic,
        now_ms: u64,
        syn: &Syn,
    ) -> Option<News> {
        let now_s = now_ms / 1000;
        let first = Seen { id, traffic, at_ms: now_ms, unfinished: 0, since_s: now_s, calm_since_s: None };
        let seen = self.seen.entry(service.name.clone()).or_insert(first);
        if seen.id != id {
            *seen = first;
        }
        let passed_ms = now_ms - seen.at_ms;
        if passed_ms == 0 {
            return None;
        }
        let is_flooded = self.guard.flooded.contains(&service.name);
        let asks = is_flooded && service.syn_protection == SynProtection::Auto;
        let counts = Counts { before: seen.traffic, after: traffic };
        let (begun, unfinished) = if asks { counts.asked() } else { counts.sampled() };
        let rate = |number: u64| number.saturating_mul(1000) / passed_ms;
        (seen.traffic, seen.at_ms, seen.unfinished) = (traffic, now_ms, rate(unfinished));
        // Few of many are those whose answer is still on its way.
        let is_much = unfinished >= begun / 4;
        if !is_flooded && is_much && rate(unfinished) >= syn.enter.into() {
            (seen.since_s, seen.calm_since_s) = (now_s, None);
            self.guard.flooded.insert(service.name.clone());
            return Some(News::Begins(seen.unfinished));
        }
        if is_flooded && seen.is_calm(syn, now_s) {
            let lasted_s = now_s - seen.since_s;
            seen.since_s = now_s;
            self.guard.flooded.remove(&service.name);
            return Some(News::Ends(lasted_s));
        }
        None
    }

    /// Forgets services that are not followed any more.
    pub(super) fn retain(&mut self, model: &Model) {
        let followed: BTreeSet<&str> =
            model.services.iter().filter(|service| is_followed(service)).map(|service| service.name.as_str()).collect();
        self.seen.retain(|name, _| followed.contains(name.as_str()));
        self.guard.flooded.retain(|name| followed.contains(name.as_str()));
    }

    /// Whether protection of a service is active, or would be.
    pub(super) fn is_active(&self, service: &Service) -> bool {
        match service.syn_protection {
            SynProtection::Off => false,
            SynProtection::Always => true,
            SynProtection::Auto | SynProtection::Monitor => self.guard.flooded.contains(&service.name),
        }
    }

    /// How it stands with a service that is followed.
    pub(super) fn of(&self, service: &str, now_s: u64) -> Option<Standing> {
        let seen = self.seen.get(service)?;
        Some(Standing { unfinished: seen.unfinished, seconds: now_s.saturating_sub(seen.since_s) })
    }
}

impl Seen {
    /// Whether the rate has been low for long enough.
    fn is_calm(&mut self, syn: &Syn, now_s: u64) -> bool {
        if self.unfinished >= syn.leave.into() {
            self.calm_since_s = None;
            return false;
        }
        let since_s = *self.calm_since_s.get_or_insert(now_s);
        now_s - since_s >= syn.hold.as_secs()
    }
}

/// Two readings of the counters.
struct Counts {
    before: SynTraffic,
    after: SynTraffic,
}

impl Counts {
    fn of(&self, event: SynEvent) -> u64 {
        self.after.of(event).wrapping_sub(self.before.of(event))
    }

    /// The handshakes that began, and those that were not finished, by the sample.
    fn sampled(&self) -> (u64, u64) {
        let (opened, completed) = (self.of(SynEvent::Opened), self.of(SynEvent::Completed));
        (opened * SYN_SAMPLE_ONE_IN, opened.saturating_sub(completed) * SYN_SAMPLE_ONE_IN)
    }

    /// The SYNs of strangers, and those that nobody has answered for.
    fn asked(&self) -> (u64, u64) {
        let begun = self.of(SynEvent::Challenged) + self.of(SynEvent::Unanswered);
        (begun, begun.saturating_sub(self.of(SynEvent::Proved) + self.of(SynEvent::Retried)))
    }
}

/// Whether protection of a service begins and ends by itself.
pub(super) fn is_followed(service: &Service) -> bool {
    service.protocol == Protocol::Tcp && matches!(service.syn_protection, SynProtection::Auto | SynProtection::Monitor)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Document;

    const ID: u32 = 3;

    fn model(protection: &str) -> Model {
        let text = format!(
            "[[service]]\nname = 'web'\naddress = '10.0.0.1'\nport = 80\ndelivery = 'ipip'\nsyn_protection = '{protection}'\n\
             backend = [{{ address = '10.1.0.1' }}]\n[syn]\nenter = 1000\nleave = 500\nhold = '30s'\n"
        );
        Document::parse("sluice.toml", &text).unwrap_or_else(|errors| panic!("{errors}")).1
    }

    /// Keys that tell how many were made before.
    fn keys() -> impl FnMut() -> io::Result<[u64; 2]> {
        let mut made = 0;
        move || {
            made += 1;
            Ok([made, made])
        }
    }

    fn floods(model: &Model) -> Floods {
        Floods::after(&Snapshot::default(), model, 1000, keys()).unwrap()
    }

    /// A service whose counters grow by so much in each second.
    struct Watched {
        model: Model,
        floods: Floods,
        traffic: SynTraffic,
        now_ms: u64,
    }

    impl Watched {
        fn new(protection: &str) -> Self {
            let model = model(protection);
            let mut watched = Self { floods: floods(&model), model, traffic: SynTraffic::default(), now_ms: 1_000_000 };
            assert_eq!(watched.second(&[]), None);
            watched
        }

        fn second(&mut self, events: &[(SynEvent, u64)]) -> Option<News> {
            for (event, number) in events {
                self.traffic.0[*event as usize] += number;
            }
            self.now_ms += 1000;
            self.floods.look(&self.model.services[0], ID, self.traffic, self.now_ms, &self.model.syn)
        }

        /// How many seconds pass until something is new.
        fn seconds_until_news(&mut self, events: &[(SynEvent, u64)]) -> (u64, Option<News>) {
            let news = (1..100).find_map(|second| self.second(events).map(|news| (second, Some(news))));
            news.unwrap_or((100, None))
        }

        fn is_flooded(&self) -> bool {
            self.floods.is_active(&self.model.services[0])
        }
    }

    use SynEvent::{Challenged, Completed, Opened, Proved, Retried, Unanswered};

    #[test]
    fn protection_begins_with_the_first_second_above_the_rate() {
        let mut watched = Watched::new("auto");
        // 16 in the sample are 1024 in all.
        assert_eq!(watched.second(&[(Opened, 15)]), None);
        assert_eq!(watched.second(&[(Opened, 16)]), Some(News::Begins(1024)));
        assert!(watched.is_flooded());
    }

    #[test]
    fn many_that_are_finished_are_no_flood() {
        let mut watched = Watched::new("auto");
        assert_eq!(watched.seconds_until_news(&[(Opened, 1000), (Completed, 1000)]), (100, None));
        // The answers to the last of them are on their way.
        assert_eq!(watched.second(&[(Opened, 1000), (Completed, 800)]), None);
        assert!(!watched.is_flooded());
        assert_eq!(watched.second(&[(Opened, 1000), (Completed, 700)]), Some(News::Begins(300 * 64)));
    }

    #[test]
    fn protection_ends_when_all_was_calm_for_a_time() {
        let mut watched = Watched::new("auto");
        watched.second(&[(Opened, 1000)]);
        assert_eq!(watched.seconds_until_news(&[(Challenged, 500)]), (100, None), "as many as the lower rate");
        assert_eq!(watched.seconds_until_news(&[(Challenged, 499)]), (31, Some(News::Ends(130))));
        assert!(!watched.is_flooded());
    }

    #[test]
    fn calm_begins_anew_after_each_second_without() {
        let mut watched = Watched::new("auto");
        watched.second(&[(Opened, 1000)]);
        for _ in 0..5 {
            for _ in 0..30 {
                assert_eq!(watched.second(&[]), None);
            }
            assert_eq!(watched.second(&[(Unanswered, 500)]), None);
        }
        assert!(watched.is_flooded());
    }

    #[test]
    fn strangers_who_prove_themselves_are_no_flood() {
        let mut watched = Watched::new("auto");
        watched.second(&[(Opened, 1000)]);
        let events = [(Challenged, 9000), (Proved, 8000), (Retried, 600)];
        assert_eq!(watched.seconds_until_news(&events), (31, Some(News::Ends(31))));
    }

    #[test]
    fn who_only_monitors_goes_by_the_sample_all_the_time() {
        let mut watched = Watched::new("monitor");
        assert_eq!(watched.second(&[(Opened, 100)]), Some(News::Begins(6400)));
        assert_eq!(watched.seconds_until_news(&[(Opened, 100), (Challenged, 6400)]), (100, None));
        assert_eq!(watched.seconds_until_news(&[(Opened, 100), (Completed, 100)]).0, 31);
    }

    #[test]
    fn a_late_look_counts_by_the_time_that_has_passed() {
        let mut watched = Watched::new("auto");
        watched.now_ms += 3000;
        assert_eq!(watched.second(&[(Opened, 60)]), None, "60 × 64 in four seconds");
    }

    #[test]
    fn a_service_with_another_id_is_another_one() {
        let mut watched = Watched::new("auto");
        watched.traffic.0[Opened as usize] = 1_000_000;
        let (service, syn) = (&watched.model.services[0], &watched.model.syn);
        assert_eq!(watched.floods.look(service, ID + 1, watched.traffic, 2_000_000, syn), None);
    }

    #[test]
    fn keys_change_while_cookies_are_asked_for() {
        let model = model("always");
        let (mut floods, mut keys) = (floods(&model), keys());
        assert_eq!((floods.guard.epoch, floods.guard.keys), (2, [[2, 2], [1, 1]]));
        assert!(!floods.rotate(&model, 1015, &mut keys).unwrap());
        assert!(floods.rotate(&model, 1016, &mut keys).unwrap());
        assert_eq!((floods.guard.epoch, floods.guard.keys), (3, [[2, 2], [1, 1]]), "the oldest makes room");
        assert!(floods.rotate(&model, 1032, &mut keys).unwrap());
        assert_eq!((floods.guard.epoch, floods.guard.keys), (4, [[2, 2], [1, 1]]));
        assert!(floods.rotate(&model, 1064, &mut keys).unwrap());
        assert_eq!((floods.guard.epoch, floods.guard.keys), (6, [[4, 4], [3, 3]]), "after a pause both are new");
    }

    #[test]
    fn keys_rest_while_nobody_asks() {
        let model = model("auto");
        let mut floods = floods(&model);
        assert!(!floods.rotate(&model, 5000, keys()).unwrap());
        floods.guard.flooded.insert("web".into());
        assert!(floods.rotate(&model, 5000, keys()).unwrap());
        assert_eq!(floods.guard.epoch, 4, "no cookie of before is good any more");
        let model = self::model("monitor");
        assert!(!floods.rotate(&model, 9000, keys()).unwrap());
    }

    #[test]
    fn a_new_daemon_goes_on_with_keys_and_services() {
        let model = model("auto");
        let mut before = floods(&model);
        before.guard.flooded.insert("web".into());
        let snapshot = planned(&model, &before.guard);
        let after = Floods::after(&snapshot, &model, 2000, || panic!("there are keys")).unwrap();
        assert_eq!(after.guard, before.guard);
        let off = self::model("off");
        assert!(Floods::after(&snapshot, &off, 2000, keys()).unwrap().guard.flooded.is_empty());
    }

    fn planned(model: &Model, guard: &Guard) -> Snapshot {
        let inputs = plan::Inputs {
            model,
            health: &|_, _| plan::Health::Up,
            next_hops: &Default::default(),
            hash_key: lb_common::HashKey::expand([1, 2]),
            devices: &BTreeSet::new(),
            patience: plan::Patience::default(),
            guard,
            census: None,
            now_s: 0,
            now: crate::model::Moment::from_seconds(0),
        };
        plan::Planner::default().desired(inputs, &Snapshot::default()).unwrap().snapshot
    }

    #[test]
    fn a_service_that_is_not_followed_any_more_is_forgotten() {
        let mut watched = Watched::new("auto");
        watched.second(&[(Opened, 1000)]);
        watched.floods.retain(&model("monitor"));
        assert!(watched.is_flooded());
        watched.floods.retain(&model("off"));
        assert!(!watched.is_flooded() && watched.floods.of("web", 2000).is_none());
        assert_eq!(watched.model.syn.hold, Duration::from_secs(30));
    }
}
