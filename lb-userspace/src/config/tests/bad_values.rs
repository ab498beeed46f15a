//! Values that are wrong by themselves.

use super::refuses;

#[test]
fn an_unknown_key_names_the_one_that_was_meant() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service.backend]]
address = "10.0.1.1"
wieght = 5
"#,
        r#"
sluice.toml:8:1: error: unknown key `wieght` in a backend
   8 | wieght = 5
     | ^^^^^^
   help: did you mean `weight`?
1 error; nothing was changed
"#,
    );
}

#[test]
fn an_unknown_key_without_a_neighbour_lists_the_keys() {
    refuses(
        r#"
[node]
colour = "red"
[services]
"#,
        r#"
sluice.toml:2:1: error: unknown key `colour` in the node
   2 | colour = "red"
     | ^^^^^^
   help: the keys here are `interfaces`, `secret`, `source_v4`, `source_v6` and `full_nat`
sluice.toml:3:2: error: unknown key `services` in the configuration
   3 | [services]
     |  ^^^^^^^^
   help: did you mean `service`?
2 errors; nothing was changed
"#,
    );
}

#[test]
fn wrong_types_say_what_to_write() {
    refuses(
        r#"
[node]
interfaces = "eth0"
source_v4 = 10
[[service]]
name = "web"
address = "10.0.0.100"
port = "80"
delivery = true
ring = 4096
health = { type = "tcp", interval = 2, jitter = "much", rise = 1.5 }
backend = [ "10.0.1.1" ]
[firewall]
deny = [ 7 ]
"#,
        r#"
sluice.toml:2:14: error: `interfaces` must be an array, not a string
   2 | interfaces = "eth0"
     |              ^^^^^^
   help: put it in square brackets, as in `interfaces = [ … ]`
sluice.toml:3:13: error: `source_v4` must be a string, not an integer
   3 | source_v4 = 10
     |             ^^
   help: put it in double quotes
sluice.toml:7:8: error: `80` is not a range of ports
   7 | port = "80"
     |        ^^^^
   help: write `80`, without quotes
sluice.toml:8:12: error: `delivery` must be a string, not a boolean
   8 | delivery = true
     |            ^^^^
   help: put it in double quotes
sluice.toml:9:8: error: `ring` must be a table, not an integer
   9 | ring = 4096
     |        ^^^^
   help: write `ring = { … }`, or a header with its name in brackets
sluice.toml:10:37: error: `interval` must be a duration, not an integer
   10 | health = { type = "tcp", interval = 2, jitter = "much", rise = 1.5 }
      |                                     ^
   help: write the unit, in quotes: `interval = "2s"`
sluice.toml:10:49: error: `jitter` must be a number, not a string
   10 | health = { type = "tcp", interval = 2, jitter = "much", rise = 1.5 }
      |                                                 ^^^^^^
   help: write it without quotes, as in `0.1`
sluice.toml:10:64: error: `rise` must be an integer, not a number with a fraction
   10 | health = { type = "tcp", interval = 2, jitter = "much", rise = 1.5 }
      |                                                                ^^^
   help: write a whole number without quotes
sluice.toml:11:13: error: an element of `backend` must be a table, not a string
   11 | backend = [ "10.0.1.1" ]
      |             ^^^^^^^^^^
   help: write `backend = { … }`, or a header with its name in brackets
sluice.toml:13:10: error: an element of `deny` must be a string, not an integer
   13 | deny = [ 7 ]
      |          ^
   help: put it in double quotes
10 errors; nothing was changed
"#,
    );
}

#[test]
fn missing_keys_are_named() {
    refuses(
        r#"
[[service]]
health = {}
[[service.backend]]
name = "web1"
"#,
        r#"
sluice.toml:1:1: error: `address` is missing in a service
   1 | [[service]]
     | ^^^^^^^^^^^
   help: name the address that clients connect to
sluice.toml:1:1: error: `delivery` is missing in a service
   1 | [[service]]
     | ^^^^^^^^^^^
   help: write `"l2"` (backends on the same network segment, which own the service's address), `"ipip"` or `"gue"` (backends anywhere, which unwrap), `"nat"` (backends whose replies are routed through this node) or `"full-nat"` (any backends; they see this node's address instead of the clients')
sluice.toml:1:1: error: `name` is missing in a service
   1 | [[service]]
     | ^^^^^^^^^^^
   help: give the service a name for commands and metrics to use
sluice.toml:1:1: error: `port` is missing in a service
   1 | [[service]]
     | ^^^^^^^^^^^
   help: name the port that clients connect to, or write `port = "any"`
sluice.toml:2:10: error: `type` is missing in a health check
   2 | health = {}
     |          ^^
   help: write `type = "tcp"` or `type = "http"`
sluice.toml:3:1: error: `address` is missing in a backend
   3 | [[service.backend]]
     | ^^^^^^^^^^^^^^^^^^^
   help: name the address of the server
6 errors; nothing was changed
"#,
    );
}

#[test]
fn a_service_needs_double_brackets() {
    refuses(
        r#"
[service]
name = "web"
"#,
        r#"
sluice.toml:1:1: error: `service` must be an array of tables, not a table
   1 | [service]
     | ^^^^^^^^^
   help: write `[[service]]`, with double brackets, in front of each service
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_backend_needs_double_brackets() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[service.backend]
address = "10.0.1.1"
"#,
        r#"
sluice.toml:6:1: error: `backend` must be an array of tables, not a table
   6 | [service.backend]
     | ^^^^^^^^^^^^^^^^^
   help: write `[[service.backend]]`, with double brackets, in front of each backend
1 error; nothing was changed
"#,
    );
}

#[test]
fn words_that_are_not_known() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ippip"
protocol = "sctp"
[service.ring]
algorithm = "maglew"
[[service.backend]]
address = "10.0.1.1"
state = "down"
"#,
        r#"
sluice.toml:5:12: error: `ippip` is not a value of `delivery`
   5 | delivery = "ippip"
     |            ^^^^^^^
   help: did you mean `ipip`? `delivery` is one of `l2`, `ipip`, `nat`, `gue` and `full-nat`
sluice.toml:6:12: error: `sctp` is not a value of `protocol`
   6 | protocol = "sctp"
     |            ^^^^^^
   help: did you mean `tcp`? `protocol` is one of `tcp` and `udp`
sluice.toml:8:13: error: `maglew` is not a value of `algorithm`
   8 | algorithm = "maglew"
     |             ^^^^^^^^
   help: did you mean `maglev`? `algorithm` is one of `quota` and `maglev`
sluice.toml:11:9: error: `down` is not a value of `state`
   11 | state = "down"
      |         ^^^^^^
   help: `state` is one of `up`, `drain` and `disabled`
4 errors; nothing was changed
"#,
    );
}

#[test]
fn numbers_out_of_range() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 70000
delivery = "ipip"
ring = { tolerance = 1.5 }
health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
[[service.backend]]
address = "10.0.1.1"
weight = 1001
[[service.backend]]
address = "10.0.1.2"
weight = -1
[[service.backend]]
address = "10.0.1.3"
weight = 99999999999999999999
"#,
        r#"
sluice.toml:4:8: error: `port` cannot be 70000
   4 | port = 70000
     |        ^^^^^
   help: it goes from 1 to 65535
sluice.toml:6:22: error: `tolerance` cannot be 1.5
   6 | ring = { tolerance = 1.5 }
     |                      ^^^
   help: it goes from 0 to 1
sluice.toml:7:33: error: `port` cannot be 0
   7 | health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
     |                                 ^
   help: it goes from 1 to 65535
sluice.toml:7:43: error: `rise` cannot be 0
   7 | health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
     |                                           ^
   help: it goes from 1 to 100
sluice.toml:7:53: error: `fall` cannot be 101
   7 | health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
     |                                                     ^^^
   help: it goes from 1 to 100
sluice.toml:7:67: error: `jitter` cannot be 0.6
   7 | health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
     |                                                                   ^^^
   help: it goes from 0 to 0.5
sluice.toml:7:83: error: `interval` cannot be 50ms
   7 | health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
     |                                                                                   ^^^^^^
   help: it goes from 100ms to 1h
sluice.toml:7:101: error: `timeout` cannot be 2h
   7 | health = { type = "tcp", port = 0, rise = 0, fall = 101, jitter = 0.6, interval = "50ms", timeout = "2h" }
     |                                                                                                     ^^^^
   help: it goes from 10ms to 1h
sluice.toml:10:10: error: `weight` cannot be 1001
   10 | weight = 1001
      |          ^^^^
   help: it goes from 0 to 1000
sluice.toml:13:10: error: `weight` cannot be -1
   13 | weight = -1
      |          ^^
   help: it goes from 0 to 1000
sluice.toml:16:10: error: `weight` cannot be 99999999999999999999
   16 | weight = 99999999999999999999
      |          ^^^^^^^^^^^^^^^^^^^^
   help: it goes from 0 to 1000
11 errors; nothing was changed
"#,
    );
}

#[test]
fn rows_that_are_not_a_power_of_two() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
ring = { rows = 5000 }
[[service]]
name = "b"
address = "10.0.0.101"
port = 80
delivery = "ipip"
ring = { rows = 512 }
"#,
        r#"
sluice.toml:6:17: error: `rows` is 5000, which is not a power of two
   6 | ring = { rows = 5000 }
     |                 ^^^^
   help: the nearest that are one are 4096 and 8192
sluice.toml:12:17: error: `rows` cannot be 512
   12 | ring = { rows = 512 }
      |                 ^^^
   help: it goes from 1024 to 65536
2 errors; nothing was changed
"#,
    );
}
