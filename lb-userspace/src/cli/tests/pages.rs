//! What commands show.

use super::{Style, ask, output, sluice_in};
use crate::api::{
    memory::{self, Asked, Daemon},
    types::ChangeRequest,
};

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
        crate::cli::backends::text(&[of(Some("0a1b"), "one"), of(None, "two")], style),
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
fn a_list_is_fetched_at_once() {
    let daemon = Daemon::start();
    let source = "https://lists.example/friends: 7 prefixes, of which 1 lie in others; 0 stood there twice; fetched \
                  2027-01-15T08:00:00Z.\n";
    let first = format!("{source}The allow list has them now: 3 added, 2 removed.\n");
    assert_eq!(output(&daemon, "allow refresh allow"), first);
    let second = format!("{source}Nothing has changed on the allow list.\n");
    assert_eq!(output(&daemon, "allow refresh allow"), second);
    let kept_back = ask(&daemon, "deny refresh deny");
    assert_eq!((kept_back.code, kept_back.errors.as_str()), (1, "error: the feed of list deny: it is empty\n"));
    let asked = ["allow", "allow", "deny"].map(|list| Asked::Refresh(list.to_owned()));
    assert_eq!(daemon.memory.asked(), asked);
    assert_eq!(ask(&daemon, "deny refresh allow").code, 2);
    assert_eq!(ask(&daemon, "deny refresh block").code, 2);
    assert_eq!(ask(&daemon, "deny refresh").code, 2);
    assert_eq!(daemon.memory.asked(), asked);
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
