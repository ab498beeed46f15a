//! What a verb works with: the daemon to ask and the output to write.

use std::{
    io::{self, Write},
    os::fd::AsFd,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use super::{Failure, Style, operator};
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
    /// Asks the daemon for changes, which spare the operator's connection unless he insists.
    pub(super) fn changer(&self, force: bool) -> Client {
        self.client.clone().on_behalf_of(if force { None } else { operator::find() })
    }

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

    /// Whether standard output is a pipe or socket that nobody reads any more: what waits would otherwise learn of it only
    /// when there is something to write.
    pub(super) fn is_unread(&self) -> bool {
        let output = io::stdout();
        let mut output = [PollFd::new(output.as_fd(), PollFlags::empty())];
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
        poll(&mut output, PollTimeout::ZERO).is_ok()
            && output[0].revents().is_some_and(|events| events.intersects(gone))
    }
}
