//! `sluice plan`.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Session, apply, change};
use crate::api::types::Changed;

const EXAMPLES: &str = "\
Examples:
  sluice plan new.toml         what would `sluice apply new.toml` do?
  sluice plan                  what would `sluice apply` do, which reads the daemon's own file again?
  generate | sluice plan -     the same with standard input";

/// Say what `sluice apply` would do, and do nothing.
///
/// What `apply` would refuse is refused here with the same words: an error in the file, a list that covers what it must not, or
/// the end of the SSH connection that you are typing over.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Plan {
    /// The file, `-` for standard input. Without it: the daemon's own.
    file: Option<PathBuf>,

    /// Plan it although it cuts off the SSH connection that you are typing over.
    #[arg(long)]
    force: bool,
}

impl Plan {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let document = self.file.map(|file| apply::read(file, None)).transpose()?;
        let planned = session.changer(self.force).plan(document.as_ref()).await?;
        session.show(&planned, |planned, _| text(planned))
    }
}

fn text(planned: &Changed) -> String {
    let end = if planned.changes.is_empty() {
        "Nothing would change."
    } else {
        "Nothing was changed: `sluice apply` does this."
    };
    change::lines(planned, end.to_owned())
}
