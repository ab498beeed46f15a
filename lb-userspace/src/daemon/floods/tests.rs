//! How protection begins and ends, second by second.

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
        lists: &Default::default(),
        interfaces: &Default::default(),
        ephemeral: plan::EPHEMERAL,
        next_hops: &Default::default(),
        hash_key: lb_common::HashKey::expand([1, 2]),
        devices: &BTreeSet::new(),
        macs: &[],
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
