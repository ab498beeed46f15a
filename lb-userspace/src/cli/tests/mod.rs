//! The command line as people and scripts see it, against a daemon without a kernel.

mod changes;
mod pages;

use std::io::{self, Write};

use clap::{CommandFactory, Parser};

use super::{Cli, Style, execute};
use crate::api::memory::{self, Daemon};

/// What a command wrote, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) out: String,
    pub(super) errors: String,
    pub(super) code: u8,
}

fn sluice_in(style: Style, arguments: &[&str]) -> Said {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let arguments = ["sluice"].iter().chain(arguments).map(Into::into);
    let code = execute(arguments, style, &mut out, &mut errors);
    Said { out: String::from_utf8(out).unwrap(), errors: String::from_utf8(errors).unwrap(), code }
}

pub(super) fn sluice(arguments: &[&str]) -> Said {
    sluice_in(Style::default(), arguments)
}

/// A command that the daemon answers.
pub(super) fn ask(daemon: &Daemon, arguments: &str) -> Said {
    let socket = daemon.socket().display().to_string();
    let arguments: Vec<_> = ["--socket", &socket].into_iter().chain(arguments.split_whitespace()).collect();
    sluice(&arguments)
}

/// The output of a command that succeeds.
pub(super) fn output(daemon: &Daemon, arguments: &str) -> String {
    let said = ask(daemon, arguments);
    assert_eq!((said.errors.as_str(), said.code), ("", 0), "{arguments}");
    said.out
}

#[test]
fn clap_finds_nothing_wrong_with_the_command_line() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_and_option_has_a_help_text() {
    fn assert_helpful(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(assert_helpful);
    }
    assert_helpful(&Cli::command());
}

#[test]
fn the_agent_takes_several_addresses_and_nodes() {
    let arguments = "sluice agent --interface eth0 --address 192.0.2.80 ::80 --from 10.0.0.1 10.0.0.2 --from ::1";
    let parsed = format!("{:?}", Cli::try_parse_from(arguments.split(' ')).unwrap().verb);
    assert!(parsed.contains("addresses: [192.0.2.80/32, ::80/128], from: [10.0.0.1, 10.0.0.2, ::1]"), "{parsed}");
    assert!(Cli::try_parse_from(["sluice", "agent", "--interface", "eth0"]).is_err());
}

#[test]
fn json_is_what_the_api_said() {
    fn json<T: serde::de::DeserializeOwned>(daemon: &Daemon, arguments: &str) -> T {
        serde_json::from_str(&output(daemon, &format!("{arguments} --json"))).unwrap()
    }
    let daemon = Daemon::start();
    let services = memory::services();
    assert_eq!(json::<crate::api::types::Status>(&daemon, "status"), memory::status());
    assert_eq!(json::<Vec<crate::api::types::ServiceStatus>>(&daemon, "services"), services);
    assert_eq!(json::<crate::api::types::ServiceStatus>(&daemon, "services dns"), services[1]);
    assert_eq!(json::<Vec<crate::api::types::BackendStatus>>(&daemon, "backends web"), services[0].backends);
    assert_eq!(json::<crate::api::types::Drops>(&daemon, "drops"), memory::drops());
    assert_eq!(json::<Vec<crate::api::types::LimitStatus>>(&daemon, "limits"), memory::limits());
    assert_eq!(json::<Vec<crate::api::types::RuleStatus>>(&daemon, "rules"), memory::rules());
    assert_eq!(json::<crate::api::types::List>(&daemon, "deny list"), memory::list(crate::model::ListKind::Deny));
    let test: crate::api::types::ListTest = json(&daemon, "deny test 192.0.2.1");
    assert_eq!(test.matched.as_deref(), Some("192.0.2.0/24"));
    let changed: crate::api::types::Changed = json(&daemon, "deny add 10.0.0.1");
    assert_eq!((changed.changes.len(), changed.microseconds), (1, 3_200));
}

#[test]
fn exit_codes_tell_usage_from_failure() {
    let daemon = Daemon::start();
    let usage =
        Said { out: String::new(), errors: "error: no service `mail`: there are web, dns\n".to_owned(), code: 2 };
    assert_eq!(ask(&daemon, "services mail"), usage);
    assert_eq!(ask(&daemon, "backends mail"), usage);
    let failure = Said { out: String::new(), errors: "error: cannot attach to eth9\n".to_owned(), code: 1 };
    assert_eq!(ask(&daemon, "attach eth9"), failure);
    assert_eq!(sluice(&["--version"]).code, 0);
    for wrong in [
        &["nonsense"][..],
        &[],
        &["detach"],
        &["detach", "eth0", "--all"],
        &["detach", "--all", "--ephemeral"],
        &["backend", "weight", "web", "w", "1001"],
        &["backend", "add", "web", "nonsense"],
        &["backend", "add", "web", "::1", "--port", "0"],
        &["deny", "add"],
        &["deny", "add", "10.0.0.1", "--for", "soon"],
        &["deny", "add", "10.0.0.1", "--for", "1m", "--ephemeral"],
        &["services", ""],
        &["run"],
    ] {
        let said = sluice(wrong);
        assert_eq!(said.code, 2, "{wrong:?}");
        assert!(said.out.is_empty() && !said.errors.is_empty(), "{wrong:?}: {said:?}");
    }
}

#[test]
fn without_a_daemon_the_remedy_is_named() {
    let said = sluice(&["--socket", "/nonexistent/sluice.sock", "status"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.errors,
        "error: no Sluice daemon answers at /nonexistent/sluice.sock (there is no such socket): start one with `sluice \
         run --config FILE`, or name its socket with --socket\n"
    );
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let daemon = Daemon::start();
    let cases = [
        (ask(&daemon, "services mail --json"), "no service `mail`: there are web, dns", true),
        (ask(&daemon, "attach eth9 --json"), "cannot attach to eth9", false),
        (sluice(&["--json", "nonsense"]), "unrecognized subcommand 'nonsense'", true),
    ];
    for (said, message, usage) in cases {
        let error: serde_json::Value = serde_json::from_str(&said.errors).unwrap();
        assert!(error["error"].as_str().unwrap().starts_with(message), "{error}");
        assert_eq!(error["usage"], usage);
        assert_eq!(said.code, if usage { 2 } else { 1 });
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let daemon = Daemon::start();
    let socket = daemon.socket().display().to_string();
    let mut errors = Vec::new();
    let arguments = ["sluice", "--socket", &socket, "status"].map(Into::into);
    assert_eq!(execute(arguments, Style::default(), &mut Closed, &mut errors), 0);
    assert!(errors.is_empty());
}
