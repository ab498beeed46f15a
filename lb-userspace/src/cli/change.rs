//! What every command that changes something has in common: asking for an edit, and saying what became of it.

use super::{Failure, Session, units};
use crate::api::types::{ChangeRequest, Changed, Edit};

/// How a change is made.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Manner {
    /// Leave the configuration file alone: the change lasts until the daemon restarts or reads the file again.
    #[arg(long)]
    pub(super) ephemeral: bool,

    /// Make it although it cuts off the SSH connection that you are typing over, or, in a deny list, covers services, backends,
    /// this node, or everything.
    #[arg(long)]
    pub(super) force: bool,
}

/// Asks the daemon for an edit and prints what it did.
pub(super) async fn request(edit: Edit, manner: Manner, session: &mut Session<'_>) -> Result<(), Failure> {
    let Manner { ephemeral, force } = manner;
    let changed = session.changer(force).change(&ChangeRequest { edit, ephemeral }).await?;
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
    lines(changed, done)
}

/// What was or would be done, a sentence about it, and what the operator should know.
pub(super) fn lines(changed: &Changed, sentence: String) -> String {
    let warnings = changed.warnings.iter().map(|warning| format!("warning: {warning}"));
    let lines: Vec<_> = changed.changes.iter().cloned().chain([sentence]).chain(warnings).collect();
    lines.join("\n")
}
