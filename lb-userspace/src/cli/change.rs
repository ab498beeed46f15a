//! What every command that changes something has in common: asking for an edit, and saying what became of it.

use super::{Failure, Session, units};
use crate::api::types::{ChangeRequest, Changed, Edit};

/// How lasting a change is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Lasting {
    /// Leave the configuration file alone: the change lasts until the daemon restarts or reads the file again.
    #[arg(long)]
    pub(super) ephemeral: bool,
}

/// Whether a change may cut the operator off.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Insistence {
    /// Do it although it cuts off the SSH connection that you are typing over.
    #[arg(long)]
    pub(super) force: bool,
}

/// Asks the daemon for an edit and prints what it did.
pub(super) async fn request(
    edit: Edit,
    lasting: Lasting,
    insistence: Insistence,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let ephemeral = lasting.ephemeral;
    let changed = session.changer(insistence).change(&ChangeRequest { edit, ephemeral }).await?;
    session.show(&changed, |changed, _| text(changed, ephemeral))
}

/// What was done, how long it took and what the operator should know.
pub(super) fn text(changed: &Changed, ephemeral: bool) -> String {
    let took = units::latency(changed.microseconds);
    let done = match (changed.changes.is_empty(), ephemeral) {
        (true, _) => "Nothing to do: that is how it was already.".to_owned(),
        (false, false) => format!("Done in {took}."),
        (false, true) => format!("Done in {took}, until the daemon restarts or reloads: the file was left alone."),
    };
    let warnings = changed.warnings.iter().map(|warning| format!("warning: {warning}"));
    let lines: Vec<_> = changed.changes.iter().cloned().chain([done]).chain(warnings).collect();
    lines.join("\n")
}
