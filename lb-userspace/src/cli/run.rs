//! `sluice run`.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Session, log};
use crate::{
    daemon::{self, Options},
    model::Paths,
};

const EXAMPLES: &str = "\
Examples:
  sluice run --config /etc/sluice/sluice.toml
  SLUICE_LOG=debug sluice run --config sluice.toml --socket /tmp/sluice.sock

SIGHUP reads the configuration again. SIGTERM and SIGINT end the daemon; packets are forwarded
all the same, with the backends as they were, and the next daemon takes over. What stops forwarding
is `sluice detach --all`.";

/// Run the daemon in the foreground.
///
/// Loads the program into the kernel, or takes over what an earlier daemon left there, puts the configuration into
/// effect, checks the backends and answers on the socket. The log goes to standard error; SLUICE_LOG says how much of
/// it (error, warn, info, debug, trace).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The configuration file. Changes made by command are written into it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The directory on a BPF file system where the program and its tables are pinned.
    #[arg(long, value_name = "DIR", default_value_os_t = Paths::default().pins)]
    pins: PathBuf,

    /// The directory for what must outlive a reboot: the secret of the flow hash.
    #[arg(long, value_name = "DIR", default_value_os_t = Paths::default().state)]
    state: PathBuf,
}

impl Run {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), Failure> {
        log::start()?;
        let paths = Paths { socket: session.client.socket().to_owned(), pins: self.pins, state: self.state };
        let ended = daemon::run(Options { config: self.config, paths }).await;
        ended.map_err(|error| if error.is_usage() { Failure::usage(error) } else { Failure::machine(error) })
    }
}
