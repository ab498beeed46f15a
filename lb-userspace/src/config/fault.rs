//! What is wrong with a single word, wherever it was written.

/// What is wrong, and what to do about it: the same words for a value in the file and for one in a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// What the operator wrote, as it is shown in a message: not too long, and unable to steer a terminal.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let ellipsis = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{shown}{ellipsis}`")
}
