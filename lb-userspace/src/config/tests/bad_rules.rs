//! Rules that are wrong, contradict themselves or can never be reached.

use super::{errors, refuses};

#[test]
fn what_a_rule_needs_is_asked_for() {
    refuses(
        r#"
[[rule]]
protcol = "tcp"
[[rule]]
name = "b"
action = "dorp"
protocol = "tpc"
"#,
        r#"
sluice.toml:1:1: error: `action` is missing in a rule
   1 | [[rule]]
     | ^^^^^^^^
   help: write `action = "drop"`, `"pass"` or `"count"`
sluice.toml:1:1: error: `name` is missing in a rule
   1 | [[rule]]
     | ^^^^^^^^
   help: give the rule a name for commands and counters to use
sluice.toml:2:1: error: unknown key `protcol` in a rule
   2 | protcol = "tcp"
     | ^^^^^^^
   help: did you mean `protocol`?
sluice.toml:5:10: error: `dorp` is not a value of `action`
   5 | action = "dorp"
     |          ^^^^^^
   help: did you mean `drop`? `action` is one of `drop`, `pass` and `count`
sluice.toml:6:12: error: `tpc` is not a value of `protocol`
   6 | protocol = "tpc"
     |            ^^^^^
   help: did you mean `tcp`? `protocol` is one of `tcp`, `udp`, `icmp` and `icmpv6`
5 errors; nothing was changed
"#,
    );
}

#[test]
fn single_brackets_are_noticed() {
    refuses(
        "[rule]\nname = \"a\"\n",
        r#"
sluice.toml:1:1: error: `rule` must be an array of tables, not a table
   1 | [rule]
     | ^^^^^^
   help: write `[[rule]]`, with double brackets, in front of each rule
1 error; nothing was changed
"#,
    );
}

#[test]
fn values_say_what_can_be_written() {
    refuses(
        r#"
[[rule]]
name = "a"
action = "drop"
protocol = "tcp"
tcp_flags = "syn,!akc"
length = "60-20"
source = []
[[rule]]
name = "b"
action = "drop"
protocol = "tcp"
tcp_flags = "syn,!syn"
length = "long"
source = "192.0.2.1/24"
"#,
        r#"
sluice.toml:5:13: error: `akc` is not a TCP flag
   5 | tcp_flags = "syn,!akc"
     |             ^^^^^^^^^^
   help: did you mean `ack`? the flags are `fin`, `syn`, `rst`, `psh`, `ack`, `urg`, `ece` and `cwr`
sluice.toml:6:10: error: `60-20` ends before it begins
   6 | length = "60-20"
     |          ^^^^^^^
   help: write `"20-60"`
sluice.toml:7:10: error: with an empty `source` the rule matches nothing
   7 | source = []
     |          ^^
   help: name prefixes, or remove it
sluice.toml:12:13: error: `syn,!syn` names `syn` twice
   12 | tcp_flags = "syn,!syn"
      |             ^^^^^^^^^^
   help: write each flag once: `syn,!ack` is SYN set and ACK not set
sluice.toml:13:10: error: `long` is not a range of lengths
   13 | length = "long"
      |          ^^^^^^
   help: write the bytes of the IP packet like `60`, or a range like `"0-59"`, up to 65535
sluice.toml:14:10: error: `192.0.2.1/24` has bits set behind its length
   14 | source = "192.0.2.1/24"
      |          ^^^^^^^^^^^^^^
   help: write `192.0.2.0/24` for the whole prefix, or `192.0.2.1` for the one address
6 errors; nothing was changed
"#,
    );
}

#[test]
fn conditions_must_fit_their_protocol() {
    refuses(
        r#"
[[rule]]
name = "a"
action = "drop"
port = 22
[[rule]]
name = "b"
action = "drop"
protocol = "udp"
tcp_flags = "syn"
[[rule]]
name = "c"
action = "drop"
protocol = 47
icmp = 8
"#,
        r#"
sluice.toml:4:8: error: rule `a` asks for `port`, but for no protocol that has it
   4 | port = 22
     |        ^^
   help: write `protocol = "tcp"` or `"udp"` as well
sluice.toml:9:13: error: rule `b` asks for `tcp_flags`, which UDP does not have
   9 | tcp_flags = "syn"
     |             ^^^^^
   help: write `protocol = "tcp"`, or remove `tcp_flags`
sluice.toml:14:8: error: rule `c` asks for `icmp`, which 47 does not have
   14 | icmp = 8
      |        ^
   help: write `protocol = "icmp"` or `"icmpv6"`, or remove `icmp`
3 errors; nothing was changed
"#,
    );
}

#[test]
fn contradictions_are_named() {
    refuses(
        r#"
[[rule]]
name = "a"
action = "drop"
source = "192.0.2.0/24"
destination = "2001:db8::/32"
[[rule]]
name = "b"
action = "drop"
protocol = "icmp"
source = "2001:db8::/32"
[[rule]]
name = "c"
action = "drop"
protocol = "udp"
port = 53
fragments = "later"
"#,
        r#"
sluice.toml:5:15: error: rule `a` asks for a source and a destination of different families
   5 | destination = "2001:db8::/32"
     |               ^^^^^^^^^^^^^^^
   help: no packet has that: name prefixes of one family, or write two rules
sluice.toml:9:12: error: rule `b` asks for ICMP between IPv6 addresses
   9 | protocol = "icmp"
     |            ^^^^^^
   help: write `protocol = "icmpv6"`
sluice.toml:16:13: error: rule `c` asks later fragments for `port`, which they do not have
   16 | fragments = "later"
      |             ^^^^^^^
   help: write `fragments = "first"`, or leave the ports open
3 errors; nothing was changed
"#,
    );
}

#[test]
fn what_a_rule_names_must_be_there() {
    refuses(
        r#"
[node]
interfaces = ["eth0"]
[[service]]
name = "dns"
address = "192.0.2.53"
port = 53
protocol = "udp"
delivery = "l2"
[[rule]]
name = "a"
action = "drop"
interface = "eth1"
services = ["dsn", "mail-server"]
[[rule]]
name = "a"
action = "count"
protocol = "tcp"
services = "dns"
"#,
        r#"
sluice.toml:12:13: error: rule `a` asks for `eth1`, where Sluice is not attached
   12 | interface = "eth1"
      |             ^^^^^^
   help: did you mean `eth0`? Otherwise add it to `node.interfaces`
sluice.toml:13:13: error: this rule names the service `dsn`, which there is not
   13 | services = ["dsn", "mail-server"]
      |             ^^^^^
   help: did you mean `dns`?
sluice.toml:13:20: error: this rule names the service `mail-server`, which there is not
   13 | services = ["dsn", "mail-server"]
      |                    ^^^^^^^^^^^^^
   help: there are `dns`
sluice.toml:15:8: error: a rule named `a` is there already, in line 10
   15 | name = "a"
      |        ^^^
   help: give each rule a name of its own
sluice.toml:18:12: error: rule `a` asks for TCP to a service of UDP
   18 | services = "dns"
      |            ^^^^^
   help: leave `protocol` out, or name another service
5 errors; nothing was changed
"#,
    );
}

#[test]
fn a_rule_that_an_earlier_one_shadows_is_named() {
    refuses(
        r#"
[[rule]]
name = "web"
action = "pass"
protocol = "tcp"
port = "80-443"
[[rule]]
name = "no-web"
action = "drop"
protocol = "tcp"
port = [80, "100-110"]
source = "192.0.2.0/24"
"#,
        r#"
sluice.toml:6:1: error: rule `no-web` is never reached: rule `web` in line 1 matches all of its packets, to pass them
   6 | [[rule]]
     | ^^^^^^^^
   help: put it in front of the other, or remove it
1 error; nothing was changed
"#,
    );
}

/// Whether a rule that drops what `first` says leaves anything to one that asks for `second`.
fn is_shadowed(first: &str, second: &str) -> bool {
    let text = format!(
        "[node]\ninterfaces = [\"eth0\", \"eth1\"]\n[[rule]]\nname = \"a\"\naction = \"drop\"\n{first}\n\
         [[rule]]\nname = \"b\"\naction = \"drop\"\n{second}\n"
    );
    crate::config::Document::parse("sluice.toml", &text)
        .is_err_and(|errors| errors.iter().all(|error| error.message.contains("is never reached")))
}

#[test]
fn shadows_fall_where_every_condition_is_wider() {
    for (wide, narrow) in [
        ("", "protocol = \"tcp\""),
        ("source = \"192.0.2.0/24\"", "source = [\"192.0.2.7\", \"192.0.2.128/25\"]"),
        ("source = [\"10.0.0.0/8\", \"192.0.2.0/24\"]", "source = [\"192.0.2.7\", \"10.1.0.0/16\"]"),
        ("protocol = \"tcp\"\ntcp_flags = \"syn\"", "protocol = \"tcp\"\ntcp_flags = \"syn,!ack\""),
        ("protocol = \"icmp\"\nicmp = [8, 0]", "protocol = \"icmp\"\nicmp = 8"),
        ("fragments = \"any\"", "fragments = \"later\""),
        ("length = \"0-100\"", "length = \"20-100\""),
        ("interface = \"eth0\"", "interface = \"eth0\"\nprotocol = \"udp\""),
    ] {
        assert!(is_shadowed(wide, narrow), "{wide} covers {narrow}");
        assert!(!is_shadowed(narrow, wide), "{narrow} does not cover {wide}");
    }
    for (one, other) in [
        ("protocol = \"tcp\"", "protocol = \"udp\""),
        ("protocol = \"tcp\"\ntcp_flags = \"syn\"", "protocol = \"tcp\"\ntcp_flags = \"!syn\""),
        ("interface = \"eth0\"", "interface = \"eth1\""),
        ("fragments = \"none\"", "fragments = \"any\""),
    ] {
        assert!(!is_shadowed(one, other), "{one} does not cover {other}");
    }
}

#[test]
fn too_many_lines_are_counted() {
    let ports: Vec<String> = (1..=13).map(|port| format!("{}", 2 * port)).collect();
    let text = format!(
        "[[rule]]\nname = \"a\"\naction = \"drop\"\nprotocol = \"tcp\"\nport = [{}]\n\
         source = [\"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"fd00::/8\", \"fe80::/10\"]\n",
        ports.join(", ")
    );
    let shown = errors(&text);
    let expected = "sluice.toml:1:1: error: the rules take 65 lines, and there is room for 64\n";
    assert!(shown.starts_with(expected), "{shown}");
}
