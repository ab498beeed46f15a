//! Active health checks.
//!
//! Problem: a backend that does not answer must lose its traffic soon, and one lost packet must not cost a healthy one
//! its traffic. Mechanism: one task for each backend probes it at jittered intervals; so many results in a row change
//! its state (`streak`), and only changes are reported. From *starting*, where nothing is known, the first result
//! decides: a daemon that starts must not withhold traffic for `rise` intervals. While a state is in doubt the interval
//! is halved (`pace`). Trade-off: probes come from the node itself and on connections of their own, so they show that
//! the server answers, not that the way of the clients' packets works.

mod pace;
mod probe;
mod streak;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
};

use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use self::{pace::Pace, streak::Streak};
use crate::model::HealthCheck;

/// A backend to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service that it stands behind.
    pub service: String,
    /// Its name; unique within the service.
    pub backend: String,
    /// Where to connect.
    pub address: SocketAddr,
    /// How it is checked.
    pub check: HealthCheck,
    /// It is known to be up: it was when a former daemon, or a former form of this target, was last heard of.
    pub initially_up: bool,
}

impl Target {
    /// Whether a running check may go on: what was known at its start makes no difference.
    fn is_checked_like(&self, other: &Self) -> bool {
        self.address == other.address && self.check == other.check
    }
}

/// A backend has come up or gone down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The service.
    pub service: String,
    /// The backend's name.
    pub backend: String,
    /// Whether it is up now.
    pub up: bool,
    /// Why, in words: `connection refused`, `2 checks passed`.
    pub reason: String,
    /// Whether the backend refused the connection: nobody listens there, so the flows that it had are over.
    pub refused: bool,
}

/// Checks backends until it is dropped.
#[derive(Debug)]
pub struct Checker {
    reports: UnboundedSender<Report>,
    /// By service and backend.
    running: HashMap<(String, String), Running>,
    /// Makes the checks of two nodes, and of two backends, fall on different moments.
    seed: RandomState,
}

impl Checker {
    /// A checker without targets that will send its reports there.
    pub fn new(reports: UnboundedSender<Report>) -> Self {
        Self { reports, running: HashMap::new(), seed: RandomState::new() }
    }

    /// Replaces the targets. Must be called inside a tokio runtime.
    ///
    /// Those whose address and check stay the same go on undisturbed, their counts of results too. Others begin anew
    /// with what [`Target::initially_up`] says; a report on the former form may still be on its way then.
    pub fn set_targets(&mut self, targets: Vec<Target>) {
        let mut former = std::mem::take(&mut self.running);
        for target in targets {
            let key = (target.service.clone(), target.backend.clone());
            let running = match former.remove(&key) {
                Some(running) if running.target.is_checked_like(&target) => running,
                _ => self.start(target),
            };
            self.running.insert(key, running);
        }
    }

    fn start(&self, target: Target) -> Running {
        let seed = self.seed.hash_one((&target.service, &target.backend));
        let task = tokio::spawn(watch(target.clone(), Pace::new(&target.check, seed), self.reports.clone()));
        Running { target, task }
    }
}

/// A target's task, which ends with this value.
#[derive(Debug)]
struct Running {
    target: Target,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Checks one target until nobody wants its reports.
async fn watch(target: Target, mut pace: Pace, reports: UnboundedSender<Report>) {
    let Target { service, backend, address, check, initially_up } = target;
    let mut streak = Streak::new(check.rise, check.fall, initially_up);
    sleep(pace.first()).await;
    while !reports.is_closed() {
        let next = Instant::now();
        let outcome = probe::run(&check.probe, address, check.timeout).await;
        if let Some(change) = streak.record(outcome.is_ok()) {
            let refused = outcome.as_ref().is_err_and(probe::Failure::is_refusal);
            let reason = match outcome {
                Ok(()) if change.results == 1 => "1 check passed".into(),
                Ok(()) => format!("{} checks passed", change.results),
                Err(failure) => failure.to_string(),
            };
            let report = Report { service: service.clone(), backend: backend.clone(), up: change.up, reason, refused };
            if reports.send(report).is_err() {
                return;
            }
        }
        // From start to start: a slow answer does not make checks rarer.
        sleep_until(next + pace.next(streak.is_in_doubt())).await;
    }
}

#[cfg(test)]
mod tests;
