//! A load generator that goes on while the test changes the world.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval, sleep},
};

use super::{
    Failure, Report,
    http::Connection,
    worker::{Stop, Worker},
};
use crate::lab::Namespace;

/// A client that fails at once, refused for example, waits this long, as retrying in a loop would count the same fault
/// a thousand times.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

/// How much is asked for, and how.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Connections open at the same time.
    pub connections: u32,
    /// Requests after which a connection is closed and a new one opened: a new flow.
    pub requests_per_connection: u32,
    /// Requests a second, over all connections; none: as many as are answered.
    pub rate_per_second: Option<f64>,
    /// The path that is asked for.
    pub path: String,
    /// After this time a connection attempt or a request has failed.
    pub timeout: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            connections: 4,
            requests_per_connection: 1,
            rate_per_second: None,
            path: "/".into(),
            timeout: Duration::from_secs(1),
        }
    }
}

/// Requests that go on until it is stopped or dropped.
#[derive(Debug)]
pub struct Load {
    worker: Worker<()>,
    report: SharedReport,
}

impl Load {
    /// Starts asking a server, from a namespace.
    pub fn start(namespace: &Namespace, target: SocketAddr, options: LoadOptions) -> anyhow::Result<Self> {
        let report = SharedReport::default();
        let shared = report.clone();
        let worker = Worker::start(namespace, move |stop| run(target, options, shared, stop))?;
        Ok(Self { worker, report })
    }

    /// What became of the requests that ended since the start or the last call.
    pub fn take(&self) -> Report {
        std::mem::take(&mut *self.report.lock())
    }

    /// Ends it and returns what [`Load::take`] would. Requests under way are not counted.
    pub fn stop(self) -> anyhow::Result<Report> {
        self.worker.finish()?;
        Ok(std::mem::take(&mut *self.report.lock()))
    }
}

#[derive(Clone, Debug, Default)]
struct SharedReport(Arc<Mutex<Report>>);

impl SharedReport {
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(target: SocketAddr, options: LoadOptions, report: SharedReport, mut stop: Stop) -> anyhow::Result<()> {
    let options = Arc::new(options);
    let mut clients = JoinSet::new();
    for _ in 0..options.connections {
        let client = Client { target, options: Arc::clone(&options), report: report.clone(), pace: pace(&options) };
        clients.spawn(client.run());
    }
    stop.asked().await;
    Ok(())
}

fn pace(options: &LoadOptions) -> Option<Interval> {
    let per_client = options.rate_per_second.map(|rate| f64::from(options.connections) / rate)?;
    let mut pace = interval(Duration::from_secs_f64(per_client));
    // After a pause the rate goes on; what was missed is not caught up with in a burst.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(pace)
}

/// One of the connections that are open at the same time, with its successors.
struct Client {
    target: SocketAddr,
    options: Arc<LoadOptions>,
    report: SharedReport,
    pace: Option<Interval>,
}

impl Client {
    async fn run(mut self) {
        loop {
            let failures = self.connection().await;
            if failures {
                sleep(AFTER_FAILURE).await;
            }
        }
    }

    /// Uses one connection up. Returns whether it failed.
    async fn connection(&mut self) -> bool {
        self.turn().await;
        let mut start = Instant::now();
        let mut connection = match Connection::open(self.target, self.options.timeout).await {
            Ok(connection) => connection,
            Err(failure) => return self.count(Err(failure), start),
        };
        self.report.lock().connections += 1;
        for left in (0..self.options.requests_per_connection).rev() {
            let outcome = connection.get(&self.options.path, left == 0).await;
            if self.count(outcome, start) {
                return true;
            }
            if left > 0 {
                self.turn().await;
                start = Instant::now();
            }
        }
        false
    }

    /// Waits until the rate allows the next request.
    async fn turn(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
    }

    fn count(&self, outcome: Result<String, Failure>, start: Instant) -> bool {
        let failed = outcome.is_err();
        self.report.lock().count(outcome, start.elapsed());
        failed
    }
}
