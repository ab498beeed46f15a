//! The command line as people and scripts see it, against a daemon without a kernel.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::{CommandFactory, Parser};

use super::{Cli, Style, execute};
use crate::{
    api::{
        memory::{self, Asked, Daemon},
        types::{ApplyRequest, ChangeRequest, Edit},
    },
    model::{AdminState, Moment},
};

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
fn status_is_a_page() {
    assert_eq!(
        output(&Daemon::start(), "status"),
        "\
Daemon         version 0.1.0, pid 4711, up 1day 2h 3m 4s
Configuration  /etc/sluice/sluice.toml (ephemeral changes are in effect that it does not have; `sluice apply` undoes them)
Interfaces     eth0 (native)
Services       2
Backends       1 of 3 up
Protected      services, and the node itself
Ports in use   0 (TCP) and 7 (UDP) of 31744 on 2001:db8::2

1 warning:
- service dns has no backend that takes new flows
"
    );
}

#[test]
fn services_are_a_table() {
    assert_eq!(
        output(&Daemon::start(), "services"),
        "\
NAME  ADDRESS          PROTOCOL  DELIVERY   UP  PACKETS    BYTES  FLOWS
web   192.0.2.80:80    tcp       l2        1/2     1200  1.50 MB     24
dns   [2001:db8::1]:*  udp       full-nat  0/1        0      0 B      0
"
    );
}

#[test]
fn a_service_of_full_nat_has_sessions() {
    assert!(output(&Daemon::start(), "services dns").contains("\nSessions  7\n"));
}

#[test]
fn a_service_has_details() {
    assert_eq!(
        output(&Daemon::start(), "services web"),
        "\
Service   web
Address   192.0.2.80:80 tcp
Delivery  l2
Ring      4096 rows
Traffic   1200 packets, 1.50 MB, 24 flows
Backends  1/2 up
Sources   198.51.100.0/24
SYN       auto, active for 1m 15s, 48000 unfinished handshakes a second; 3600000 challenged, 120 proved, 7 retried

SERVICE  NAME  ADDRESS    STATE  WEIGHT   SHARE  PACKETS   BYTES  FLOWS  REASON
web      web1  10.0.0.11  up        100  50.0 %      600  750 kB     12
web      web2  10.0.0.12  down      100   0.0 %      600  750 kB     12  connection refused; no way there: does it answer ARP or ND?
"
    );
}

#[test]
fn syn_protection_is_a_table_of_the_tcp_services() {
    assert_eq!(
        output(&Daemon::start(), "syn"),
        "\
SERVICE  MODE  STATE              UNFINISHED/S  CHALLENGED  PROVED  RETRIED  ADMITTED  LIMITED  UNANSWERED  REFUSED
web      auto  active for 1m 15s         48000     3600000     120        7       310        2          40        5
"
    );
}

#[test]
fn backends_are_a_table() {
    assert_eq!(
        output(&Daemon::start(), "backends dns"),
        "\
SERVICE  NAME          ADDRESS              STATE     WEIGHT   SHARE  PACKETS   BYTES  FLOWS  REASON
dns      2001:db8::53  [2001:db8::53]:5353  draining       7  50.0 %      600  750 kB     12
"
    );
    assert_eq!(output(&Daemon::start(), "backends").lines().count(), 4);
}

#[test]
fn server_ids_are_a_column_if_there_are_any() {
    let of = |server_id: Option<&str>, name| crate::api::types::BackendStatus {
        server_id: server_id.map(ToOwned::to_owned),
        ..memory::backend("h3", name, "10.0.0.11", crate::api::types::BackendState::Up)
    };
    let style = Style { terminal: false, colour: false };
    assert_eq!(
        super::backends::text(&[of(Some("0a1b"), "one"), of(None, "two")], style),
        "\
SERVICE  NAME  ADDRESS    SERVER ID  STATE  WEIGHT   SHARE  PACKETS   BYTES  FLOWS  REASON
h3       one   10.0.0.11  0a1b       up        100  50.0 %      600  750 kB     12
h3       two   10.0.0.11             up        100  50.0 %      600  750 kB     12"
    );
}

#[test]
fn states_have_colours_where_they_are_allowed() {
    let daemon = Daemon::start();
    let socket = daemon.socket().display().to_string();
    let style = Style { terminal: false, colour: true };
    let coloured = sluice_in(style, &["--socket", &socket, "backends", "web"]).out;
    assert!(coloured.contains("\u{1b}[38;5;10m") && coloured.contains("\u{1b}[38;5;9m"), "{coloured:?}");
    assert!(!output(&daemon, "backends web").contains('\u{1b}'));
}

#[test]
fn drops_come_with_their_explanation() {
    let daemon = Daemon::start();
    assert_eq!(
        output(&daemon, "drops"),
        "\
REASON      PACKETS  A SECOND  EXPLANATION
no_backend     3400       425  The service has no backend that may take traffic: all are down, draining or disabled.
denied           12         2  The source is on the deny list.
"
    );
    let all = output(&daemon, "drops --all");
    assert_eq!(all.lines().count(), 1 + memory::drops().reasons.len());
    assert!(all.contains("\nmtu_exceeded "), "{all}");
}

#[test]
fn rules_come_in_their_order_with_what_they_matched() {
    let daemon = Daemon::start();
    let heading = "RULE  ACTION  PACKETS    BYTES  MATCHES\n";
    let ssh = "ssh   pass        100  6.00 kB  tcp port 22 from 192.0.2.0/24\n";
    assert_eq!(output(&daemon, "rules"), format!("{heading}{ssh}rest  drop          0      0 B  tcp port 22\n"));
    assert_eq!(output(&daemon, "rules ssh"), format!("{heading}{ssh}"));
    let unknown = ask(&daemon, "rules shh");
    assert_eq!((unknown.code, unknown.errors.as_str()), (2, "error: no rule `shh`: there are ssh, rest\n"));
}

#[test]
fn limits_come_with_what_they_let_pass() {
    let daemon = Daemon::start();
    assert_eq!(
        output(&daemon, "limits"),
        "\
LIMIT       BY                     A SECOND                PASSED  LIMITED  BANNED  ACTION
per-client  source /32 /64 of web  100 packets, burst 200    1000        7       2  ban 10m
total       all                    1.00 MB, burst 2.00 MB    1000        7       0  drop
"
    );
    assert_eq!(
        output(&daemon, "limits per-client --bans"),
        "\
SOURCE           LIMIT       LEFT
203.0.113.9/32   per-client  9m
2001:db8:1::/64  per-client  8s
"
    );
    assert_eq!(output(&daemon, "limits total --bans"), "Nobody is banned.\n");
    assert_eq!(ask(&daemon, "limits x").errors, "error: no limit `x`: there are per-client, total\n");
}

#[test]
fn lists_show_their_prefixes_and_what_they_did() {
    let daemon = Daemon::start();
    assert_eq!(
        output(&daemon, "deny list"),
        "\
PREFIX         PACKETS  ORIGIN   TIME LEFT  REASON
192.0.2.0/24         7  config              scans
2001:db8::/32        5  command  1m 30s

/var/lib/pests: 100 prefixes, of which 7 lie in others; 3 stood there twice
The deny list has 102 prefixes. It has matched 12 packets (720 B).
"
    );
    assert_eq!(output(&daemon, "allow list"), "The allow list is empty. It has matched 0 packets (0 B).\n");
}

#[test]
fn an_address_is_tested() {
    let daemon = Daemon::start();
    assert_eq!(
        output(&daemon, "deny test 192.0.2.9"),
        "192.0.2.9 is on the deny list: 192.0.2.0/24 covers it.\nIts packets are denied by 192.0.2.0/24.\n  \
         deny (for web): 192.0.2.0/24, from config, scans, 1m 30s left\n"
    );
    assert_eq!(
        output(&daemon, "allow test ::1"),
        "::1 is not on the allow list.\nIts packets are not filtered by any list.\n"
    );
}

#[test]
fn an_entry_can_be_for_a_time() {
    let daemon = Daemon::start();
    output(&daemon, "deny add 10.0.0.1 --for 10m");
    let edit = r#"{"kind":"list_add","list":"deny","prefixes":["10.0.0.1"],"terms":{"for_seconds":600}}"#;
    let request = ChangeRequest { edit: serde_json::from_str(edit).unwrap(), ephemeral: false };
    assert_eq!(daemon.memory.asked(), [Asked::Change(request)]);
}

#[test]
fn lists_are_counted_exported_and_imported() {
    let daemon = Daemon::start();
    assert_eq!(
        output(&daemon, "deny stats"),
        "LIST  FOR  PREFIXES  PACKETS  BYTES  FROM\ndeny  all       102       12  720 B  /var/lib/pests\n"
    );
    assert_eq!(output(&daemon, "deny export"), "192.0.2.0/24 # scans\n2001:db8::/32\n");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "192.0.2.7\n").unwrap();
    assert_eq!(
        output(&daemon, &format!("deny import {} --force", file.path().display())),
        "import: 2 prefixes, of which 0 lie in others; 1 stood there twice.\nThe deny list has them now, in place of those of the \
         last import. Done in 1.50 ms.\n"
    );
    assert_eq!(daemon.memory.asked(), [Asked::Import("deny".to_owned(), 10, true)]);
    let said = ask(&daemon, "deny import /nonexistent/file");
    assert!(said.code == 2 && said.errors.starts_with("error: cannot read /nonexistent/file: "), "{said:?}");
    let said = ask(&daemon, "deny list --list allow");
    assert_eq!(
        (said.code, said.errors.as_str()),
        (2, "error: `allow` is one of the allow lists: say `sluice allow`\n")
    );
    assert_eq!(ask(&daemon, "deny list --list block").errors, "error: no list `block`: there are allow, deny\n");
}

#[test]
fn a_change_says_what_was_done_and_how_long_it_took() {
    let daemon = Daemon::start();
    assert_eq!(
        output(&daemon, "apply"),
        "\
backend web3 added to web
192.0.2.0/24 removed from deny
Done in 850 µs.
warning: eth1 has no native mode: generic
"
    );
    assert!(output(&daemon, "detach eth0").ends_with("\nDone in 3.20 ms.\n"));
    assert!(
        output(&daemon, "detach eth0 --ephemeral")
            .ends_with("\nDone in 3.20 ms, until the daemon restarts or reloads: the file was left alone.\n")
    );
    assert_eq!(output(&daemon, "deny remove ::1"), "Nothing to do: that is how it was already.\n");
}

#[test]
fn each_verb_asks_for_its_edit() {
    let cases = [
        ("backend add web 10.0.0.4", r#"{"kind":"backend_add","service":"web","address":"10.0.0.4"}"#),
        (
            "backend add web ::4 --name w --port 80 --weight 0",
            r#"{"kind":"backend_add","service":"web","name":"w","address":"::4","port":80,"weight":0}"#,
        ),
        ("backend remove web w", r#"{"kind":"backend_remove","service":"web","backend":"w"}"#),
        ("backend drain web w", r#"{"kind":"backend_state","service":"web","backend":"w","state":"drain"}"#),
        ("backend undrain web w", r#"{"kind":"backend_state","service":"web","backend":"w","state":"up"}"#),
        ("backend enable web w", r#"{"kind":"backend_state","service":"web","backend":"w","state":"up"}"#),
        ("backend disable web w", r#"{"kind":"backend_state","service":"web","backend":"w","state":"disabled"}"#),
        ("backend weight web w 1000", r#"{"kind":"backend_weight","service":"web","backend":"w","weight":1000}"#),
        ("deny add 10.0.0.1 ::/0", r#"{"kind":"list_add","list":"deny","prefixes":["10.0.0.1","::/0"]}"#),
        ("allow add 10.0.0.1", r#"{"kind":"list_add","list":"allow","prefixes":["10.0.0.1"]}"#),
        (
            "deny add 10.0.0.1 --reason scans --force",
            r#"{"kind":"list_add","list":"deny","prefixes":["10.0.0.1"],"terms":{"reason":"scans","force":true}}"#,
        ),
        ("deny remove 10.0.0.1", r#"{"kind":"list_remove","list":"deny","prefixes":["10.0.0.1"]}"#),
        ("detach eth1", r#"{"kind":"detach","interface":"eth1"}"#),
    ];
    let daemon = Daemon::start();
    let mut expected = vec![];
    for (arguments, edit) in cases {
        let edit: Edit = serde_json::from_str(edit).unwrap();
        for ephemeral in [false, true] {
            output(&daemon, &format!("{arguments}{}", if ephemeral { " --ephemeral" } else { "" }));
            expected.push(Asked::Change(ChangeRequest { edit: edit.clone(), ephemeral }));
        }
    }
    assert_eq!(daemon.memory.asked(), expected);
}

#[test]
fn a_deadline_becomes_a_moment() {
    let daemon = Daemon::start();
    let before = Moment::now();
    output(&daemon, "backend drain web w --deadline 1h30m");
    let after = Moment::now();
    let [Asked::Change(ChangeRequest { edit: Edit::BackendState { state, drain_until: Some(until), .. }, .. })] =
        &daemon.memory.asked()[..]
    else {
        panic!("{:?}", daemon.memory.asked())
    };
    let later = |moment: Moment| moment.after(Duration::from_secs(5400));
    assert!(*state == AdminState::Drain && (later(before)..=later(after)).contains(until), "{until}");
    for deadline in ["10", "0s", "2y", "soon"] {
        let refused = ask(&daemon, &format!("backend drain web w --deadline {deadline}"));
        assert!(refused.code == 2 && refused.errors.contains("write a number and its unit"), "{}", refused.errors);
    }
}

#[test]
fn waiting_for_a_drain_that_nobody_does_fails() {
    let daemon = Daemon::start();
    let cases = [
        ("web web1", "backend web1 of service web no longer drains: somebody has changed its state"),
        ("web web9", "backend web9 of service web is there no more: somebody has removed it"),
    ];
    for (backend, error) in cases {
        let said = ask(&daemon, &format!("backend drain {backend} --wait"));
        assert_eq!((said.code, said.errors), (1, format!("error: {error}\n")));
    }
}

#[test]
fn apply_sends_the_file() {
    let daemon = Daemon::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.toml");
    std::fs::write(&file, "[node]\n").unwrap();
    let origin = file.display().to_string();
    output(&daemon, &format!("apply {origin}"));
    let sent = ApplyRequest { origin: origin.clone(), text: "[node]\n".to_owned(), confirm_seconds: None };
    assert_eq!(daemon.memory.asked(), [Asked::Apply(Some(sent))]);

    std::fs::write(&file, "").unwrap();
    let refused = ask(&daemon, &format!("apply {origin}"));
    assert_eq!(refused.code, 2);
    assert_eq!(refused.errors, format!("error: {origin}:1:1: no interface\n{origin}:1:1: no service\n"));

    std::fs::remove_file(&file).unwrap();
    let missing = ask(&daemon, &format!("apply {origin}"));
    assert_eq!(missing.code, 2);
    assert_eq!(missing.errors, format!("error: cannot read {origin}: No such file or directory (os error 2)\n"));
}

#[test]
fn plan_sends_the_file_and_says_that_nothing_was_changed() {
    let daemon = Daemon::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new.toml");
    std::fs::write(&file, "[node]\n").unwrap();
    let origin = file.display().to_string();
    let said = output(&daemon, &format!("plan {origin}"));
    assert_eq!(said, "added service dns\nNothing was changed: `sluice apply` does this.\n");
    let sent = ApplyRequest { origin, text: "[node]\n".to_owned(), confirm_seconds: None };
    assert_eq!(daemon.memory.asked(), [Asked::Plan(Some(sent))]);
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
