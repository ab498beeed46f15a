//! `sluice confirm`.

use clap::Args;

use super::{Failure, Session, change};
use crate::api::types::ConfirmRequest;

const EXAMPLES: &str = "\
Examples:
  sluice apply new.toml --confirm 60s    put new.toml into effect for a minute
  sluice confirm                         keep it
  sluice confirm --undo                  bring back what was before, at once";

/// Keep the configuration that `sluice apply --confirm` has put on trial.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Confirm {
    /// Bring back what was before instead.
    #[arg(long)]
    undo: bool,
}

impl Confirm {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let changed = session.client.confirm(&ConfirmRequest { undo: self.undo }).await?;
        session.show(&changed, |changed, _| change::text(changed, false))
    }
}
