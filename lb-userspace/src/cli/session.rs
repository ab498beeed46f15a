//! What a verb works with: the daemon to ask and the output to write.

use std::io::Write;

use serde::Serialize;

use super::{Failure, Style};
use crate::api::Client;

/// A command's surroundings.
pub(super) struct Session<'a> {
    /// Asks the daemon.
    pub(super) client: Client,
    /// Print JSON.
    pub(super) json: bool,
    /// How text may look.
    pub(super) style: Style,
    /// The output.
    pub(super) out: &'a mut dyn Write,
}

impl Session<'_> {
    /// Prints a value as JSON, or as the text that `render` makes of it.
    pub(super) fn show<T: Serialize>(
        &mut self,
        value: &T,
        render: impl FnOnce(&T, Style) -> String,
    ) -> Result<(), Failure> {
        let text = if self.json { serde_json::to_string_pretty(value) } else { Ok(render(value, self.style)) }
            .map_err(|error| Failure::machine(format_args!("the answer cannot be written as JSON: {error}")))?;
        writeln!(self.out, "{}", text.trim_end())?;
        Ok(self.out.flush()?)
    }
}
