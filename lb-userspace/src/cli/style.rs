//! How the output may look: colours and wrapped lines are for people in front of a terminal.

use std::{env, io, io::IsTerminal};

use comfy_table::Color;

use crate::api::types::BackendState;

/// What the output is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Wrap at the terminal's width.
    pub terminal: bool,
    /// Use colours.
    pub colour: bool,
}

impl Style {
    /// What standard output and the environment allow. `NO_COLOR` is <https://no-color.org>.
    pub fn of_terminal() -> Self {
        let terminal = io::stdout().is_terminal();
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal, colour: terminal && !dumb && !set("NO_COLOR") }
    }

    /// The colour that a state is shown in.
    pub(super) fn of_state(self, state: BackendState) -> Option<Color> {
        let colour = match state {
            BackendState::Up => Color::Green,
            BackendState::Starting | BackendState::Draining => Color::Yellow,
            BackendState::Down => Color::Red,
            BackendState::Disabled => Color::DarkGrey,
        };
        self.colour.then_some(colour)
    }
}
