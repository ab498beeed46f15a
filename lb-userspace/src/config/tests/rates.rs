//! Rate limits: what can be written, what it means, and what is refused.

use std::time::Duration;

use super::{refuses, valid};
use crate::model::{Limit, LimitAction, LimitBy, LimitMeasure, RuleAction};

fn limit(text: &str) -> Limit {
    let service = "[[service]]\nname = \"web\"\naddress = \"192.0.2.80\"\nport = 80\ndelivery = \"l2\"\n";
    let mut limits = valid(&format!("{service}[[limit]]\nname = \"l\"\n{text}")).1.firewall.limits;
    limits.remove(0)
}

#[test]
fn what_is_left_out_has_its_default() {
    let limit = limit("by = \"source\"\npackets = 100\n");
    assert_eq!(limit.by, LimitBy::Source { v4: 32, v6: 64 });
    assert_eq!((limit.measure, limit.rate, limit.burst), (LimitMeasure::Packets, 100, 100));
    assert_eq!((limit.action, limit.services.len()), (LimitAction::Drop, 0));
}

#[test]
fn everything_can_be_written() {
    let limit = limit(
        "by = \"source\"\nprefix_v4 = 24\nprefix_v6 = 48\nservices = \"web\"\nconnections = 5\nburst = 20\n\
         action = { ban = \"10m\" }\n",
    );
    assert_eq!(limit.by, LimitBy::Source { v4: 24, v6: 48 });
    assert_eq!((limit.measure, limit.rate, limit.burst), (LimitMeasure::Connections, 5, 20));
    assert_eq!((limit.action, limit.services), (LimitAction::Ban(Duration::from_secs(600)), vec!["web".to_owned()]));
}

#[test]
fn bytes_may_have_a_unit() {
    for (written, bytes) in
        [("\"500kB\"", 500_000), ("\"10 MB\"", 10_000_000), ("\"1GB\"", 1_000_000_000), ("70000", 70_000)]
    {
        let limit = limit(&format!("by = \"all\"\nbytes = {written}\n"));
        assert_eq!((limit.measure, limit.rate), (LimitMeasure::Bytes, bytes));
    }
    assert_eq!(limit("by = \"all\"\nbytes = 1000\n").burst, 65_535, "a packet must pass");
    assert_eq!(limit("by = \"all\"\nbytes = 100000\nburst = \"2MB\"\n").burst, 2_000_000);
}

#[test]
fn a_rule_names_a_limit() {
    let model = valid(
        "[[limit]]\nname = \"dns\"\nby = \"source\"\npackets = 10\n\
         [[rule]]\nname = \"dns\"\naction = \"limit\"\nlimit = \"dns\"\nprotocol = \"udp\"\nport = 53\n",
    )
    .1;
    assert_eq!(model.firewall.rules[0].action, RuleAction::Limit("dns".to_owned()));
    assert_eq!(model.firewall.rules[0].action.to_string(), "limit dns");
}

#[test]
fn what_a_limit_needs_is_asked_for() {
    refuses(
        r#"
[[limit]]
[[limit]]
name = "b"
by = "client"
packets = 0
bytes = 100
"#,
        r#"
sluice.toml:1:1: error: `by` is missing in a limit
   1 | [[limit]]
     | ^^^^^^^^^
   help: write `by = "source"` (each client by itself), `"service"` (each service) or `"all"` (all together)
sluice.toml:1:1: error: `name` is missing in a limit
   1 | [[limit]]
     | ^^^^^^^^^
   help: give the limit a name for rules and commands to use
sluice.toml:1:1: error: a limit says how much may come
   1 | [[limit]]
     | ^^^^^^^^^
   help: write how many a second, like `packets = 1000`, `bytes = "10MB"` or `connections = 50`
sluice.toml:4:6: error: `client` is not a value of `by`
   4 | by = "client"
     |      ^^^^^^^^
   help: `by` is one of `source`, `service` and `all`
sluice.toml:6:9: error: a limit counts one thing, and this one counts `packets` and `bytes`
   6 | bytes = 100
     |         ^^^
   help: write a limit for each
5 errors; nothing was changed
"#,
    );
}

#[test]
fn amounts_and_actions_have_bounds() {
    refuses(
        r#"
[[limit]]
name = "a"
by = "source"
prefix_v4 = 33
packets = 0
action = { ban = "0s" }
[[limit]]
name = "b"
by = "all"
bytes = "10mb"
action = "ban"
[[limit]]
name = "c"
by = "service"
prefix_v6 = 64
connections = 1
burst = 3601
action = 5
"#,
        r#"
sluice.toml:4:13: error: `prefix_v4` cannot be 33
   4 | prefix_v4 = 33
     |             ^^
   help: it goes from 1 to 32
sluice.toml:5:11: error: `packets` cannot be 0
   5 | packets = 0
     |           ^
   help: it goes from 1 to 10000000
sluice.toml:6:18: error: `ban` cannot be 0s
   6 | action = { ban = "0s" }
     |                  ^^^^
   help: it goes from 1s to 30days
sluice.toml:10:9: error: `10mb` is not an amount of bytes
   10 | bytes = "10mb"
      |         ^^^^^^
   help: write a whole number and its unit, like `"500kB"`, `"10MB"` or `"1GB"`, from 1kB to 100GB
sluice.toml:11:10: error: `ban` is not a value of `action`
   11 | action = "ban"
      |          ^^^^^
   help: `action` is one of `drop`
sluice.toml:15:13: error: `prefix_v6` has no meaning in a limit by `service`
   15 | prefix_v6 = 64
      |             ^^
   help: write `by = "source"`, or remove the key
sluice.toml:17:9: error: a burst of 3601 takes 3601 seconds to fill again
   17 | burst = 3601
      |         ^^^^
   help: write at most 3600, what comes in an hour
sluice.toml:18:10: error: `action` must be a string or a table, not an integer
   18 | action = 5
      |          ^
   help: write `"drop"`, or a ban like `{ ban = "10m" }`
8 errors; nothing was changed
"#,
    );
}

#[test]
fn limits_must_fit_together_with_what_they_name() {
    refuses(
        r#"
[[service]]
name = "web"
address = "192.0.2.80"
port = 80
delivery = "l2"
[[limit]]
name = "a"
by = "all"
packets = 10
services = "wbe"
action = { ban = "1m" }
[[limit]]
name = "a"
by = "all"
bytes = "1MB"
burst = 1500
[[limit]]
name = "c"
by = "source"
packets = 10
services = "web"
[[rule]]
name = "r"
action = "limit"
limit = "c"
[[rule]]
name = "s"
action = "limit"
limit = "d1"
[[rule]]
name = "t"
action = "limit"
[[rule]]
name = "u"
action = "drop"
limit = "a"
"#,
        r#"
sluice.toml:10:12: error: this limit names the service `wbe`, which there is not
   10 | services = "wbe"
      |            ^^^^^
   help: did you mean `web`?
sluice.toml:11:10: error: a limit by `all` knows no source that it could ban
   11 | action = { ban = "1m" }
      |          ^^^^^^^^^^^^^^
   help: write `by = "source"`, or `action = "drop"`
sluice.toml:13:8: error: a limit named `a` is there already, in line 7
   13 | name = "a"
      |        ^^^
   help: give each limit a name of its own
sluice.toml:16:9: error: a burst of 1500 bytes is less than a packet may have, which would never pass
   16 | burst = 1500
      |         ^^^^
   help: write at least `burst = 65535`
sluice.toml:21:12: error: limit `c` is for services, and rule `r` names it
   21 | services = "web"
      |            ^^^^^
   help: a limit that a rule names is for what the rule matches: write the services there
sluice.toml:29:9: error: rule `s` names the limit `d1`, which there is not
   29 | limit = "d1"
      |         ^^^^
   help: there are `a`, `a` and `c`
sluice.toml:30:1: error: `limit` is missing in a rule whose action is `limit`
   30 | [[rule]]
      | ^^^^^^^^
   help: name a `[[limit]]`, like `limit = "per-client"`
sluice.toml:36:9: error: `limit` has no meaning in a rule whose action is another
   36 | limit = "a"
      |         ^^^
   help: write `action = "limit"`, or remove the key
8 errors; nothing was changed
"#,
    );
}

#[test]
fn there_is_room_for_16_limits() {
    let limits = |count: usize| -> String {
        (0..count).map(|number| format!("[[limit]]\nname = \"l{number}\"\nby = \"all\"\npackets = 1\n")).collect()
    };
    valid(&limits(16));
    let shown = super::errors(&limits(17));
    assert!(shown.starts_with("sluice.toml:65:1: error: there are 17 limits, and there is room for 16\n"), "{shown}");
}
