//! What the health checks have found.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    api::types::BackendState,
    health::{Report, Subject},
    model::Model,
    plan::Health,
};

/// What is known of one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// [`BackendState::Starting`], [`BackendState::Up`] or [`BackendState::Down`].
    pub(super) state: BackendState,
    /// The checks' reason, in words.
    pub(super) reason: String,
    /// When the state began, in seconds.
    since_s: u64,
    /// Whether the backend refused the last check.
    refused: bool,
}

/// A backend whose check has just failed keeps its flows for this long, in seconds: the check may be wrong.
const SUSPICION_S: u64 = 30;

/// What is known of every backend that is checked.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// What is checked for a service and its backend: for services of one pool usually the same.
    subjects: BTreeMap<(String, String), Arc<Subject>>,
    findings: HashMap<Arc<Subject>, Finding>,
}

impl Liveness {
    /// Follows a new model: backends that are no longer checked are forgotten, new ones are starting, or up if
    /// `was_up` says that a former daemon saw them so. One that is checked in another way stays what it was.
    pub(super) fn follow(&mut self, model: &Model, was_up: impl Fn(&str, &str) -> bool) {
        let before = std::mem::take(self);
        for service in &model.services {
            for backend in &service.backends {
                let Some(subject) = Subject::of(service, backend).map(Arc::new) else { continue };
                let key = (service.name.clone(), backend.name.clone());
                let former = before.findings.get(&subject).or_else(|| before.of(&key.0, &key.1));
                let (subject, finding) = self.findings.remove_entry(&subject).unwrap_or_else(|| {
                    let finding = former.cloned().unwrap_or_else(|| first(was_up(&key.0, &key.1)));
                    (subject, finding)
                });
                self.subjects.insert(key, Arc::clone(&subject));
                self.findings.insert(subject, finding);
            }
        }
    }

    /// Notes a report; whether it was news.
    pub(super) fn note(&mut self, report: Report, now_s: u64) -> bool {
        let Some(finding) = self.findings.get_mut(&report.subject) else { return false };
        let state = if report.up { BackendState::Up } else { BackendState::Down };
        let is_news = finding.state != state;
        let since_s = if is_news { now_s } else { finding.since_s };
        *finding = Finding { state, reason: report.reason, since_s, refused: report.refused };
        is_news
    }

    /// What is checked for a service's backend; nothing if it is not checked.
    pub(super) fn subject(&self, service: &str, backend: &str) -> Option<&Arc<Subject>> {
        self.subjects.get(&(service.to_owned(), backend.to_owned()))
    }

    /// What is known of a backend; nothing if it is not checked.
    pub(super) fn of(&self, service: &str, backend: &str) -> Option<&Finding> {
        self.subject(service, backend).and_then(|subject| self.findings.get(subject))
    }

    /// What the checks say of a backend; one that nobody checks is up.
    pub(super) fn health(&self, service: &str, backend: &str, now_s: u64) -> Health {
        self.of(service, backend).map_or(Health::Up, |finding| finding.health(now_s))
    }

    /// Whether a backend is under suspicion, so that time alone will change what it may be given.
    pub(super) fn has_suspects(&self, now_s: u64) -> bool {
        self.findings.values().any(|finding| finding.health(now_s) == Health::Suspect)
    }
}

impl Finding {
    fn health(&self, now_s: u64) -> Health {
        match self.state {
            BackendState::Up => Health::Up,
            BackendState::Starting => Health::Starting,
            _ if self.refused || now_s >= self.since_s + SUSPICION_S => Health::Gone,
            _ => Health::Suspect,
        }
    }
}

fn first(was_up: bool) -> Finding {
    let (state, reason) = if was_up {
        (BackendState::Up, "taken over from the former daemon")
    } else {
        (BackendState::Starting, "waiting for the first check")
    };
    Finding { state, reason: reason.to_owned(), since_s: 0, refused: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    const POOL: &str =
        "[[pool]]\nname = 'p'\nhealth = { type = 'tcp', port = 80 }\nbackend = [{ address = '10.1.0.1' }]\n";

    fn service(name: &str, port: u16, more: &str) -> String {
        format!(
            "[[service]]\nname = '{name}'\naddress = '10.0.0.1'\nport = {port}\ndelivery = 'ipip'\npool = 'p'\n{more}\n"
        )
    }

    fn model(text: &str) -> Model {
        Document::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}")).1
    }

    fn report(liveness: &Liveness, service: &str, up: bool) -> Report {
        let subject = Arc::clone(liveness.subject(service, "10.1.0.1").expect("it is checked"));
        Report { subject, up, reason: "because".into(), refused: true }
    }

    fn health(liveness: &Liveness, service: &str) -> Health {
        liveness.health(service, "10.1.0.1", 1000)
    }

    #[test]
    fn one_report_is_news_for_all_services_of_a_pool_that_check_alike() {
        let mut liveness = Liveness::default();
        let elsewhere = service("c", 82, "health = { type = 'tcp', port = 81 }");
        liveness
            .follow(&model(&(POOL.to_owned() + &service("a", 80, "") + &service("b", 81, "") + &elsewhere)), |_, _| {
                true
            });
        assert!(liveness.note(report(&liveness, "a", false), 0));
        assert!(!liveness.note(report(&liveness, "b", false), 0), "it was known");
        assert_eq!(["a", "b", "c"].map(|name| health(&liveness, name)), [Health::Gone, Health::Gone, Health::Up]);
    }

    #[test]
    fn a_service_that_joins_knows_what_the_others_know() {
        let mut liveness = Liveness::default();
        let one = POOL.to_owned() + &service("a", 80, "");
        liveness.follow(&model(&one), |_, _| false);
        assert_eq!(health(&liveness, "a"), Health::Starting);
        liveness.note(report(&liveness, "a", true), 0);
        liveness.follow(&model(&(one + &service("b", 81, ""))), |_, _| false);
        assert_eq!(health(&liveness, "b"), Health::Up);
    }

    #[test]
    fn a_backend_that_is_checked_in_another_way_stays_what_it_was() {
        let mut liveness = Liveness::default();
        let text = POOL.to_owned() + &service("a", 80, "");
        liveness.follow(&model(&text), |_, _| true);
        let old = report(&liveness, "a", false);
        liveness.follow(&model(&text.replace("port = 80 }", "port = 80, rise = 5 }")), |_, _| false);
        assert_eq!(health(&liveness, "a"), Health::Up);
        assert!(!liveness.note(old, 0), "a report on the former check comes too late");
        assert_eq!(health(&liveness, "a"), Health::Up);
    }
}
