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
    sync::Arc,
};

use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use self::{pace::Pace, streak::Streak};
use crate::model::{Backend, HealthCheck, Service};

/// What is checked, and how. Services of one pool have the same subject where their checks are the same, so that it is
/// checked once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The service or the pool that the backend belongs to.
    pub owner: String,
    /// Its name; unique within the owner.
    pub backend: String,
    /// Where to connect.
    pub address: SocketAddr,
    /// How it is checked; the port is that of the address.
    pub check: HealthCheck,
}

impl Subject {
    /// What is checked of a service's backend, if anything is.
    pub fn of(service: &Service, backend: &Backend) -> Option<Self> {
        let check = service.health.as_ref()?;
        // The document has made sure that somebody names a port.
        let port = service.check_port(check, backend)?;
        Some(Self {
            owner: service.owner().to_owned(),
            backend: backend.name.clone(),
            address: SocketAddr::new(backend.address, port),
            check: HealthCheck { port: Some(port), ..check.clone() },
        })
    }
}

/// A backend to be checked.
#[derive(Clone, Debug)]
pub struct Target {
    /// What, and how.
    pub subject: Arc<Subject>,
    /// It is known to be up: it was when a former daemon, or a former form of this target, was last heard of.
    pub initially_up: bool,
}

/// A backend has come up or gone down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was checked.
    pub subject: Arc<Subject>,
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
    running: HashMap<Arc<Subject>, Running>,
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
    /// Those whose subject stays the same go on undisturbed, their counts of results too. Others begin anew with what
    /// [`Target::initially_up`] says.
    pub fn set_targets(&mut self, targets: Vec<Target>) {
        let mut former = std::mem::take(&mut self.running);
        for target in targets {
            let subject = Arc::clone(&target.subject);
            let running = former.remove(&subject).unwrap_or_else(|| self.start(target));
            self.running.insert(subject, running);
        }
    }

    fn start(&self, target: Target) -> Running {
        let seed = self.seed.hash_one((&target.subject.owner, &target.subject.backend));
        let pace = Pace::new(&target.subject.check, seed);
        Running(tokio::spawn(watch(target, pace, self.reports.clone())))
    }
}

/// A target's task, which ends with this value.
#[derive(Debug)]
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Checks one target until nobody wants its reports.
async fn watch(target: Target, mut pace: Pace, reports: UnboundedSender<Report>) {
    let Target { subject, initially_up } = target;
    let Subject { address, check, .. } = &*subject;
    let mut streak = Streak::new(check.rise, check.fall, initially_up);
    sleep(pace.first()).await;
    while !reports.is_closed() {
        let next = Instant::now();
        let outcome = probe::run(&check.probe, *address, check.timeout).await;
        if let Some(change) = streak.record(outcome.is_ok()) {
            let refused = outcome.as_ref().is_err_and(probe::Failure::is_refusal);
            let reason = match outcome {
                Ok(()) if change.results == 1 => "1 check passed".into(),
                Ok(()) => format!("{} checks passed", change.results),
                Err(failure) => failure.to_string(),
            };
            let report = Report { subject: Arc::clone(&subject), up: change.up, reason, refused };
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
