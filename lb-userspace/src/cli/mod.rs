//! The command line: one file for each verb.
//!
//! A verb is its arguments (clap's derive, whose comments are the help) and a `run` that asks the daemon and writes
//! the answer: as JSON exactly what the API said, or a rendering of it for people. Nothing is decided here: what a
//! change means and whether it is allowed is the daemon's business, so that a script on the socket and a person at the
//! prompt get the same answer.
//!
//! Exit codes: 0; 2 if the command line or the configuration is at fault; 1 if the machine is.

mod agent;
mod apply;
mod attach;
mod backend;
mod backends;
mod change;
mod check;
mod confirm;
mod detach;
mod drain;
mod drops;
mod explain;
mod failure;
mod limits;
mod list;
mod log;
mod operator;
mod plan;
mod rules;
mod run;
mod services;
mod session;
mod status;
mod style;
mod syn;
mod table;
#[cfg(test)]
mod tests;
mod units;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
};

use clap::{Parser, Subcommand};
use tokio::runtime;

use crate::{
    api::Client,
    model::{ListKind, Paths},
};
use failure::Failure;
use session::Session;
pub use style::Style;

const GLOBAL: &str = "Global options";

const EXAMPLES: &str = "\
Examples:
  sluice check /etc/sluice/sluice.toml           is the configuration right?
  sluice run --config /etc/sluice/sluice.toml    start the daemon in the foreground
  sluice status                                  what runs, and is it well?
  sluice backend drain web web3                  take a server out for maintenance
  sluice deny add 203.0.113.0/24                 drop all packets from there
  sluice --json backends | jq                    anything, for scripts

Exit codes: 0 done; 1 the machine failed; 2 the command line or the configuration is wrong.";

/// Sluice: an XDP load balancer and firewall.
///
/// One program is the daemon (`run`), the commands that talk to it over a Unix socket (most of the others) and the
/// backends' side of ipip and gue delivery (`agent`).
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// The Unix socket on which the daemon answers.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH", default_value_os_t = Paths::default().socket)]
    socket: PathBuf,

    /// Print JSON for scripts, errors included.
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Check(check::Check),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Confirm(confirm::Confirm),
    Status(status::StatusVerb),
    Services(services::Services),
    Backends(backends::Backends),
    Drops(drops::DropsVerb),
    Explain(explain::Explain),
    Rules(rules::Rules),
    Limits(limits::Limits),
    Syn(syn::SynVerb),
    Backend(backend::BackendVerb),
    /// Change or show the deny list: sources whose packets are dropped.
    ///
    /// Prefixes may overlap: one that covers the source is enough. The allow list is asked first.
    Deny(list::ListVerb),
    /// Change or show the allow list: sources that skip the rest of the firewall, the deny list included.
    Allow(list::ListVerb),
    Attach(attach::Attach),
    Detach(detach::Detach),
    Agent(agent::Agent),
}

/// Runs the command line and returns the exit code.
pub fn execute(
    arguments: impl IntoIterator<Item = OsString>,
    style: Style,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &arguments, style, out, errors),
    };
    let json = cli.json;
    match start(cli, style, out) {
        Ok(()) => 0,
        Err(failure) => failure.report(json, errors),
    }
}

/// Prints clap's complaint, or the help that was asked for.
fn refuse(
    error: &clap::Error,
    arguments: &[OsString],
    style: Style,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> u8 {
    let text = error.render();
    let complaint = text.to_string();
    let complaint = complaint.strip_prefix("error: ").unwrap_or(&complaint).trim_end();
    let json = arguments.iter().any(|argument| argument == "--json");
    let printed = match (error.use_stderr(), json, style.colour) {
        (true, true, _) => return Failure::usage(complaint).report(true, errors),
        (true, false, _) => write!(errors, "{text}"),
        (false, _, true) => write!(out, "{}", text.ansi()),
        (false, _, false) => write!(out, "{text}"),
    };
    // Whoever closed the output does not want to read about it either.
    drop(printed);
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn start(cli: Cli, style: Style, out: &mut dyn Write) -> Result<(), Failure> {
    // A command that asks one question needs no threads.
    let mut runtime = match cli.verb {
        Verb::Run(_) | Verb::Agent(_) => runtime::Builder::new_multi_thread(),
        _ => runtime::Builder::new_current_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::machine(format_args!("cannot start the asynchronous runtime: {error}")))?;
    runtime.block_on(dispatch(cli, style, out))
}

async fn dispatch(cli: Cli, style: Style, out: &mut dyn Write) -> Result<(), Failure> {
    let mut session = Session { client: Client::new(cli.socket), json: cli.json, style, out };
    match cli.verb {
        Verb::Run(verb) => verb.run(&session).await,
        Verb::Check(verb) => verb.run(&mut session),
        Verb::Plan(verb) => verb.run(&mut session).await,
        Verb::Apply(verb) => verb.run(&mut session).await,
        Verb::Confirm(verb) => verb.run(&mut session).await,
        Verb::Status(verb) => verb.run(&mut session).await,
        Verb::Services(verb) => verb.run(&mut session).await,
        Verb::Backends(verb) => verb.run(&mut session).await,
        Verb::Drops(verb) => verb.run(&mut session).await,
        Verb::Explain(verb) => verb.run(&mut session).await,
        Verb::Rules(verb) => verb.run(&mut session).await,
        Verb::Limits(verb) => verb.run(&mut session).await,
        Verb::Syn(verb) => verb.run(&mut session).await,
        Verb::Backend(verb) => verb.run(&mut session).await,
        Verb::Deny(verb) => verb.run(ListKind::Deny, &mut session).await,
        Verb::Allow(verb) => verb.run(ListKind::Allow, &mut session).await,
        Verb::Attach(verb) => verb.run(&mut session).await,
        Verb::Detach(verb) => verb.run(&mut session).await,
        Verb::Agent(verb) => verb.run().await,
    }
}

/// The process's own streams and environment.
pub fn main() -> u8 {
    execute(std::env::args_os(), Style::of_terminal(), &mut io::stdout(), &mut io::stderr())
}
