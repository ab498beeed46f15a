//! The log of the verbs that stay: lines on standard error, for the terminal or the journal.

use std::{env, io, io::IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

use super::Failure;

/// The environment variable that says what is logged, in `tracing`'s syntax.
const VARIABLE: &str = "SLUICE_LOG";

/// Starts logging. The journal stamps lines itself, so there they carry no time.
pub(super) fn start() -> Result<(), Failure> {
    let filter = filter(env::var(VARIABLE).ok().as_deref())
        .map_err(|error| Failure::usage(format_args!("{VARIABLE}: {error}; use for example `info` or `debug`")))?;
    let colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour).with_target(false);
    let started = match env::var_os("JOURNAL_STREAM") {
        Some(_) => lines.without_time().try_init(),
        None => lines.try_init(),
    };
    started.map_err(|error| Failure::machine(format_args!("cannot start logging: {error}")))
}

fn filter(directives: Option<&str>) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(directives.filter(|text| !text.is_empty()).unwrap_or("info"))
}
