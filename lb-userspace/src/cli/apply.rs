//! `sluice apply`.

use std::{fs, io, io::Read, path::PathBuf, time::Duration};

use clap::Args;

use super::{Failure, Session, change};
use crate::api::types::ApplyRequest;

const EXAMPLES: &str = "\
Examples:
  sluice apply                 reload the daemon's own file
  sluice apply new.toml        the daemon's configuration becomes what new.toml says
  generate | sluice apply -    the same with standard input
  sluice apply new.toml --confirm 60s
                               the same for a minute, unless `sluice confirm` comes before that";

/// Put a configuration into effect: all of it, or nothing if anything is wrong with it.
///
/// Connections stay where they are as far as their backends do.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Apply {
    /// The file whose contents become the daemon's configuration, `-` for standard input. Without it the daemon reads
    /// its own file again.
    file: Option<PathBuf>,

    /// Put it on trial: after this time (`60s`, `5m`) what was before comes back, unless `sluice confirm` has kept it. It
    /// comes back even if the daemon has died.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "file")]
    confirm: Option<Duration>,

    /// Do it although it cuts off the SSH connection that you are typing over.
    #[arg(long)]
    force: bool,
}

impl Apply {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let document = self.file.map(|file| read(file, self.confirm)).transpose()?;
        let changed = session.changer(self.force).apply(document.as_ref()).await?;
        session.show(&changed, |changed, _| change::text(changed, false))
    }
}

pub(super) fn read(file: PathBuf, confirm: Option<Duration>) -> Result<ApplyRequest, Failure> {
    let (origin, text) = if file.as_os_str() == "-" {
        let mut text = String::new();
        ("standard input".to_owned(), io::stdin().read_to_string(&mut text).map(|_| text))
    } else {
        (file.display().to_string(), fs::read_to_string(&file))
    };
    let text = text.map_err(|error| Failure::usage(format_args!("cannot read {origin}: {error}")))?;
    Ok(ApplyRequest { origin, text, confirm_seconds: confirm.map(|confirm| confirm.as_secs()) })
}
