//! `sluice detach`: the only thing that stops forwarding.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgGroup, Args, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Failure, Session,
    change::{self, Manner},
};
use crate::{api::types::Edit, dataplane, model::Paths, routes};

const EXAMPLES: &str = "\
Examples:
  sluice detach eth1     no longer handle eth1's packets, and take it out of the configuration
  sluice detach --all    stop forwarding everywhere, with or without a daemon";

/// Stop handling the packets of an interface, or of all of them.
///
/// One interface is the daemon's business, like any change. `--all` needs no daemon: it removes the program's links from
/// the kernel, so that packets go their way as if Sluice were not there. The configuration stays as it is: the next
/// daemon attaches again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("what").required(true).args(["interface", "all"]))]
pub(super) struct Detach {
    /// The interface.
    #[arg(value_name = "IFACE", value_parser = NonEmptyStringValueParser::new())]
    interface: Option<String>,

    /// Detach from all interfaces.
    #[arg(long, conflicts_with = "ephemeral")]
    all: bool,

    /// The directory on a BPF file system where the daemon pins its program.
    #[arg(long, value_name = "DIR", default_value_os_t = Paths::default().pins)]
    pins: PathBuf,

    #[command(flatten)]
    manner: Manner,
}

/// How long a daemon may take to say that it is there: `--all` is for emergencies, in which it may hang.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `--all` did.
#[derive(Debug, Serialize)]
struct Detached {
    interfaces: Vec<String>,
    warnings: Vec<String>,
}

impl Detach {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.interface {
            Some(interface) => change::request(Edit::Detach { interface }, self.manner, session).await,
            None => detach_all(&self.pins, session).await,
        }
    }
}

async fn detach_all(pins: &Path, session: &mut Session<'_>) -> Result<(), Failure> {
    let attached = dataplane::detach_all(pins).map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::PermissionDenied { ": this takes root" } else { "" };
        Failure::machine(format_args!("cannot remove the links pinned below {}: {error}{advice}", pins.display()))
    })?;
    let indexes = attached.iter().map(|attached| attached.ifindex).collect();
    routes::await_detached(&indexes).await.map_err(Failure::machine)?;
    let interfaces = attached.into_iter().map(|attached| attached.name).collect();
    let client = session.client.clone().with_timeout(PATIENCE);
    let warnings = client.status().await.map(|status| daemon_remains(status.pid)).into_iter().collect();
    session.show(&Detached { interfaces, warnings }, |detached, _| text(detached))
}

fn daemon_remains(pid: u32) -> String {
    format!("a daemon is running (pid {pid}) and attaches again when it reloads or restarts: stop it, too")
}

fn text(Detached { interfaces, warnings }: &Detached) -> String {
    let done = match interfaces.as_slice() {
        [] => "Nothing to do: Sluice was attached to no interface.".to_owned(),
        interfaces => format!("Detached from {}: Sluice forwards nothing any more.", interfaces.join(", ")),
    };
    let warnings: String = warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect();
    done + &warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_no_longer_forwards() {
        let detached = |interfaces: &[&str], warnings| Detached {
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
            warnings,
        };
        assert_eq!(text(&detached(&[], vec![])), "Nothing to do: Sluice was attached to no interface.");
        assert_eq!(
            text(&detached(&["eth0", "eth1"], vec![daemon_remains(7)])),
            "Detached from eth0, eth1: Sluice forwards nothing any more.\nwarning: a daemon is running (pid 7) and attaches \
             again when it reloads or restarts: stop it, too"
        );
    }
}
