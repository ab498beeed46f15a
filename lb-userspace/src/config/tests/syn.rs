//! SYN protection as it is written.

use std::time::Duration;

use super::{refuses, valid};
use crate::model::{Syn, SynProtection};

fn service(more: &str) -> String {
    format!(
        "[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\ndelivery = \"ipip\"\n{more}\n\
         [[service.backend]]\naddress = \"10.0.1.1\"\n"
    )
}

fn protection(more: &str) -> SynProtection {
    valid(&service(more)).1.services[0].syn_protection
}

#[test]
fn tcp_is_protected_when_it_must_be_unless_the_operator_says_otherwise() {
    assert_eq!(protection(""), SynProtection::Auto);
    assert_eq!(protection("protocol = \"udp\""), SynProtection::Off);
    assert_eq!(protection("protocol = \"udp\"\nsyn_protection = \"off\""), SynProtection::Off);
    for (word, meaning) in [
        ("off", SynProtection::Off),
        ("auto", SynProtection::Auto),
        ("always", SynProtection::Always),
        ("monitor", SynProtection::Monitor),
    ] {
        assert_eq!(protection(&format!("syn_protection = \"{word}\"")), meaning);
    }
}

#[test]
fn what_is_written_is_read() {
    let text =
        "[syn]\nenter = 5000\nleave = 100\nhold = \"2m\"\nkeep = \"10m\"\nper_source = 50\nanswers = 10\nretries = 7\n";
    let expected = Syn {
        enter: 5000,
        leave: 100,
        hold: Duration::from_secs(120),
        keep: Duration::from_secs(600),
        per_source: 50,
        answers: 10,
        retries: 7,
    };
    assert_eq!(valid(text).1.syn, expected);
    assert_eq!(valid("").1.syn, Syn::default());
}

#[test]
fn either_threshold_follows_from_the_other() {
    let thresholds = |text: &str| {
        let syn = valid(text).1.syn;
        (syn.enter, syn.leave)
    };
    assert_eq!(thresholds("[syn]\nenter = 300"), (300, 150));
    assert_eq!(thresholds("[syn]\nleave = 300"), (600, 300));
    assert_eq!(thresholds("[syn]\nenter = 1"), (1, 1));
    assert_eq!(thresholds("[syn]\nenter = 7\nleave = 7"), (7, 7));
}

#[test]
fn values_that_make_no_sense() {
    refuses(
        r#"
[syn]
enter = 0
hold = 30
keep = "10s"
per_source = 70000
limit = 5
"#,
        r#"
sluice.toml:2:9: error: `enter` cannot be 0
   2 | enter = 0
     |         ^
   help: it goes from 1 to 1000000000
sluice.toml:3:8: error: `hold` must be a duration, not an integer
   3 | hold = 30
     |        ^^
   help: write the unit, in quotes: `hold = "30s"`
sluice.toml:4:8: error: `keep` cannot be 10s
   4 | keep = "10s"
     |        ^^^^^
   help: it goes from 1m to 1day
sluice.toml:5:14: error: `per_source` cannot be 70000
   5 | per_source = 70000
     |              ^^^^^
   help: it goes from 1 to 65535
sluice.toml:6:1: error: unknown key `limit` in `syn`
   6 | limit = 5
     | ^^^^^
   help: the keys here are `enter`, `leave`, `hold`, `keep`, `per_source`, `answers` and `retries`
5 errors; nothing was changed
"#,
    );
}

#[test]
fn protection_must_not_end_before_it_begins() {
    refuses(
        r#"
[syn]
enter = 100
leave = 200
"#,
        r#"
sluice.toml:3:9: error: `leave` is 200, and `enter` is 100, in line 2: protection would end before it begins
   3 | leave = 200
     |         ^^^
   help: let `leave` be smaller than `enter`: half of it, say
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_word_that_is_no_mode() {
    refuses(
        &service("syn_protection = \"on\""),
        r#"
sluice.toml:6:18: error: `on` is not a value of `syn_protection`
   6 | syn_protection = "on"
     |                  ^^^^
   help: `syn_protection` is one of `off`, `auto`, `always` and `monitor`
1 error; nothing was changed
"#,
    );
}

#[test]
fn datagrams_have_no_syn() {
    refuses(
        &service("protocol = \"udp\"\nsyn_protection = \"auto\""),
        r#"
sluice.toml:7:18: error: service `web` cannot have `syn_protection`: its protocol is `udp`
   7 | syn_protection = "auto"
     |                  ^^^^^^
   help: remove it, or write `protocol = "tcp"`
1 error; nothing was changed
"#,
    );
}
