//! What the health checks have found.

use std::collections::BTreeMap;

use crate::{api::types::BackendState, health::Report, model::Model, plan::Health};

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

/// What is known of every backend that is checked, by service and backend.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    findings: BTreeMap<(String, String), Finding>,
}

impl Liveness {
    /// Follows a new model: backends that are no longer checked are forgotten, new ones are starting, or up if
    /// `was_up` says that a former daemon saw them so.
    pub(super) fn follow(&mut self, model: &Model, was_up: impl Fn(&str, &str) -> bool) {
        let mut findings = BTreeMap::new();
        for service in model.services.iter().filter(|service| service.health.is_some()) {
            for backend in &service.backends {
                let key = (service.name.clone(), backend.name.clone());
                let finding = self.findings.remove(&key).unwrap_or_else(|| first(was_up(&key.0, &key.1)));
                findings.insert(key, finding);
            }
        }
        self.findings = findings;
    }

    /// Notes a report; whether it was news.
    pub(super) fn note(&mut self, report: Report, now_s: u64) -> bool {
        let Some(finding) = self.findings.get_mut(&(report.service, report.backend)) else { return false };
        let state = if report.up { BackendState::Up } else { BackendState::Down };
        let is_news = finding.state != state;
        let since_s = if is_news { now_s } else { finding.since_s };
        *finding = Finding { state, reason: report.reason, since_s, refused: report.refused };
        is_news
    }

    /// What is known of a backend; nothing if it is not checked.
    pub(super) fn of(&self, service: &str, backend: &str) -> Option<&Finding> {
        self.findings.get(&(service.to_owned(), backend.to_owned()))
    }

    /// What the checks say of a backend; one that nobody checks is up.
    pub(super) fn health(&self, service: &str, backend: &str, now_s: u64) -> Health {
        let Some(finding) = self.of(service, backend) else { return Health::Up };
        match finding.state {
            BackendState::Up => Health::Up,
            BackendState::Starting => Health::Starting,
            _ if finding.refused || now_s >= finding.since_s + SUSPICION_S => Health::Gone,
            _ => Health::Suspect,
        }
    }

    /// Whether a backend is under suspicion, so that time alone will change what it may be given.
    pub(super) fn has_suspects(&self, now_s: u64) -> bool {
        self.findings.keys().any(|(service, backend)| self.health(service, backend, now_s) == Health::Suspect)
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
