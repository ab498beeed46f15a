//! What commands ask of the daemon, and what they say of it.

use std::time::Duration;

use super::{ask, output};
use crate::{
    api::{
        memory::{Asked, Daemon},
        types::{ApplyRequest, ChangeRequest, Edit},
    },
    model::{AdminState, Moment},
};

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
