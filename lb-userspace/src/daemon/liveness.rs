//! What the health checks have found.

use std::collections::BTreeMap;

use crate::{api::types::BackendState, health::Report, model::Model};

/// What is known of one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// [`BackendState::Starting`], [`BackendState::Up`] or [`BackendState::Down`].
    pub(super) state: BackendState,
    /// The checks' reason, in words.
    pub(super) reason: String,
}

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
    pub(super) fn note(&mut self, report: Report) -> bool {
        let Some(finding) = self.findings.get_mut(&(report.service, report.backend)) else { return false };
        let state = if report.up { BackendState::Up } else { BackendState::Down };
        let is_news = finding.state != state;
        *finding = Finding { state, reason: report.reason };
        is_news
    }

    /// What is known of a backend; nothing if it is not checked.
    pub(super) fn of(&self, service: &str, backend: &str) -> Option<&Finding> {
        self.findings.get(&(service.to_owned(), backend.to_owned()))
    }

    /// Whether a backend may take traffic: it is up, or nobody checks it.
    pub(super) fn is_alive(&self, service: &str, backend: &str) -> bool {
        self.of(service, backend).is_none_or(|finding| finding.state == BackendState::Up)
    }
}

fn first(was_up: bool) -> Finding {
    if was_up {
        return Finding { state: BackendState::Up, reason: "taken over from the former daemon".to_owned() };
    }
    Finding { state: BackendState::Starting, reason: "waiting for the first check".to_owned() }
}
