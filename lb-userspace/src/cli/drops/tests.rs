//! `sluice drops` in its forms, and `sluice explain`, against a daemon without a kernel.

use std::io::{self, Write};

use super::super::tests::{Said, ask, output, sluice};
use crate::{
    api::{
        memory::{self, Asked, Daemon},
        types::{DropEvent, DropFilter, ExplainProtocol, ExplainQuery, Explanation, TopDrops},
    },
    cli::{Style, execute},
    telemetry::By,
};

#[test]
fn a_reason_is_explained_with_what_to_do() {
    let daemon = Daemon::start();
    let expected = "\
Reason    no_backend
Packets   3400, 425 a second of late
It means  The service has no backend that may take traffic: all are down, draining or disabled.
To do     `sluice backends` says why, in STATE and REASON. `sluice backend enable` or `undrain` takes one back.
";
    assert_eq!(output(&daemon, "drops no_backend"), expected);
    let unknown = |errors: &str| Said { out: String::new(), errors: errors.to_owned(), code: 2 };
    let meant = "error: there is no drop reason `no_backnd`; did you mean `no_backend`?\n";
    assert_eq!(ask(&daemon, "drops no_backnd"), unknown(meant));
    let said = ask(&daemon, "drops nonsense");
    assert!(said.errors.starts_with("error: there is no drop reason `nonsense`; there are amplifier, "), "{said:?}");
}

#[test]
fn drops_are_shown_as_they_come_until_the_daemon_stops() {
    let daemon = Daemon::start();
    let said = ask(&daemon, "drops --follow --reason denied,no_backend --source 0.0.0.0/0 --service web");
    let expected = "\
TIME (UTC)    REASON               INTERFACE   PROTOCOL  SOURCE -> DESTINATION                          BYTES  SERVICE
09:30:01.250  denied               eth0        tcp syn   203.0.113.9:40000 -> 192.0.2.80:80                74  web
09:30:01.250  no_backend           eth0        132       2001:db8::9 -> 2001:db8::1                        74  -  \
(stands for 1200 drops)  (7 before it were not shown: the reader was too slow)
";
    assert_eq!(said.out, expected);
    assert_eq!((&*said.errors, said.code), ("error: the daemon has stopped; drops are no longer recorded\n", 1));
    let filter = DropFilter {
        reason: "denied,no_backend".to_owned(),
        source: Some("0.0.0.0/0".to_owned()),
        service: Some("web".to_owned()),
    };
    assert_eq!(daemon.memory.asked(), [Asked::Follow(filter)]);
}

#[test]
fn scripts_get_a_line_of_json_for_each_drop() {
    let daemon = Daemon::start();
    let said = ask(&daemon, "--json drops -f");
    let events: Vec<DropEvent> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, memory::drop_events());
    assert_eq!(ask(&daemon, "drops -f --service mail").errors, "error: there is no such service\n");
}

#[test]
fn a_reader_of_drops_that_has_read_enough_is_no_failure() {
    struct Once(usize);
    impl Write for Once {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let daemon = Daemon::start();
    let socket = daemon.socket().display().to_string();
    let mut errors = Vec::new();
    let arguments = ["sluice", "--socket", &socket, "drops", "--follow"].map(Into::into);
    assert_eq!(execute(arguments, Style::default(), &mut Once(2), &mut errors), 0);
    assert!(errors.is_empty());
}

#[test]
fn the_top_says_what_its_numbers_stand_on() {
    let daemon = Daemon::start();
    let expected = "\
SOURCE       DROPS    ±   SHARE
203.0.113.9  12000  310  60.0 %
2001:db8::9    500    0   2.5 %

Of 20000 drops in 1m 35s, 900 were recorded and stand for the others.
";
    assert_eq!(output(&daemon, "drops --top"), expected);
    assert!(output(&daemon, "drops --top 3 --by prefix").starts_with("PREFIX "));
    let top: TopDrops = serde_json::from_str(&output(&daemon, "drops --top --by reason --json")).unwrap();
    assert_eq!(top, memory::top_drops(By::Reason));
    assert_eq!(
        daemon.memory.asked(),
        [Asked::Top(By::Source, 10), Asked::Top(By::Prefix, 3), Asked::Top(By::Reason, 10)]
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    for wrong in [
        "drops denied --follow",
        "drops --all --top",
        "drops --follow --top",
        "drops --reason denied",
        "drops --source 10.0.0.1",
        "drops --by port",
        "drops --top --by nonsense",
        "explain --from 192.0.2.1",
        "explain --from 192.0.2.1 --to 192.0.2.80:99999",
        "explain --from 192.0.2.1 --to 192.0.2.80:80 sctp",
    ] {
        let said = sluice(&wrong.split(' ').collect::<Vec<_>>());
        assert_eq!(said.code, 2, "{wrong}: {said:?}");
    }
}

#[test]
fn an_explanation_has_a_line_for_each_stage() {
    let daemon = Daemon::start();
    let expected = "\
packet    a TCP SYN from 203.0.113.9:4000 to 192.0.2.80:80, by eth0
firewall  passed on
service   web
outcome   dropped, no_backend: nobody is up
to do     start one
";
    assert_eq!(output(&daemon, "explain --from 203.0.113.9:4000 --to 192.0.2.80:80"), expected);
    let other = "--json explain --from 2001:db8::9 --to [2001:db8::1]:53 udp --interface eth0";
    let explanation: Explanation = serde_json::from_str(&output(&daemon, other)).unwrap();
    assert_eq!(explanation, memory::explanation());
    output(&daemon, "explain --from 203.0.113.9 --to [192.0.2.80] icmp");
    let first = ExplainQuery {
        from: memory::address("203.0.113.9"),
        from_port: Some(4000),
        to: memory::address("192.0.2.80"),
        to_port: Some(80),
        protocol: ExplainProtocol::Tcp,
        established: false,
        interface: None,
    };
    let second = ExplainQuery {
        from: memory::address("2001:db8::9"),
        from_port: None,
        to: memory::address("2001:db8::1"),
        to_port: Some(53),
        protocol: ExplainProtocol::Udp,
        interface: Some("eth0".to_owned()),
        ..first.clone()
    };
    let third = ExplainQuery { from_port: None, to_port: None, protocol: ExplainProtocol::Icmp, ..first.clone() };
    assert_eq!(daemon.memory.asked(), [first, second, third].map(Asked::Explain));
}
