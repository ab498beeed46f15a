//! The daemon: one task that owns everything that can change, and does one thing at a time.
//!
//! Requests, health reports, next hops and signals arrive in one loop (`state`); each leads to a new desired
//! snapshot of the kernel's tables, of which only the difference is written. So no lock and no order of events can
//! make two parts of the daemon disagree about what the kernel holds. Health checks, netlink and the API run beside
//! it and only send messages.

mod adopt;
mod bans;
mod census;
mod clock;
mod decided;
mod differences;
mod drains;
mod drops;
mod error;
mod events;
mod explain;
mod fed;
mod floods;
mod guard;
mod handle;
mod history;
mod interfaces;
mod keep;
mod limits;
mod listed;
mod lists;
mod liveness;
mod local_ports;
mod operator;
mod records;
mod rehearsal;
mod report;
mod request;
mod rules;
mod secret;
mod sessions;
mod state;
mod tick;
mod trial;
mod warnings;

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

pub use self::{
    census::{Keeps, scan, scan_sessions},
    error::DaemonError,
    guard::Covered,
    listed::FileError,
};
use self::{handle::Handle, state::State};
use crate::{api, dataplane, model::Paths};

/// What the daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Where it keeps its things.
    pub paths: Paths,
}

/// How many requests may wait.
const REQUEST_QUEUE: usize = 64;

/// Runs until SIGTERM or SIGINT. Forwarding goes on after that: only detaching ends it.
///
/// # Errors
///
/// The configuration is wrong, the machine lacks something, or another daemon is running.
pub async fn run(mut options: Options) -> Result<(), DaemonError> {
    // What people are told must not depend on where the daemon was started.
    options.config = std::path::absolute(&options.config).unwrap_or(options.config);
    let trial = trial::recover(&options.paths.state, &options.config)?;
    // The configuration first: it is what people get wrong, and reading it changes nothing.
    let (document, model) = crate::config::read(&options.config)?;
    dataplane::preflight(&options.paths.pins)?;
    let listener = api::bind(&options.paths.socket)?;
    let _only_one = lock(&options)?;

    let (requests, queue) = mpsc::channel(REQUEST_QUEUE);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // Caught from now on: a reload asked for too early must not end the daemon.
    let hangup = signal(SignalKind::hangup()).map_err(DaemonError::Signal)?;
    let pins = options.paths.pins.clone();
    let mut state = State::start(options, document, model, trial).await.inspect_err(|_| leave_nothing(&pins))?;
    let server = tokio::spawn(api::serve(listener, Handle::new(requests), async {
        // A dropped sender ends the server as well.
        let _ = stopped.await;
    }));
    tracing::info!(
        config = %state.config.display(),
        services = state.model.services.len(),
        interfaces = ?state.model.node.interfaces,
        "ready"
    );
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signal)?;
    tokio::select! {
        () = state.run(queue, hangup) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    state.write_history();
    state.stop_watching();
    tracing::info!("stopping; forwarding goes on with what the kernel holds (`sluice detach --all` ends it)");
    drop(stop);
    server.await.map_err(|error| DaemonError::Api(std::io::Error::other(error)))?.map_err(DaemonError::Api)
}

/// Makes sure that no other daemon uses the same pins, until the lock is dropped.
fn lock(options: &Options) -> Result<Flock<fs::File>, DaemonError> {
    let path = &options.paths.state;
    let refused = |source| DaemonError::State { path: path.clone(), source };
    fs::create_dir_all(path).map_err(refused)?;
    let pins = &options.paths.pins;
    dataplane::make_pins(pins)?;
    let file = fs::File::open(pins).map_err(|source| DaemonError::State { path: pins.clone(), source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| DaemonError::PinsInUse(pins.clone()))
}

/// After a start that failed: removes the pins, unless packets are forwarded by them.
fn leave_nothing(pins: &Path) {
    if let Err(error) = dataplane::remove_unused_pins(pins) {
        tracing::warn!(%error, "could not remove the pins in {}", pins.display());
    }
}
