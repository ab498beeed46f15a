//! Health checks, addresses, names and prefixes that cannot be.

use super::refuses;

#[test]
fn durations() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
health = { type = "http", interval = "soon", timeout = "10" }
[[service]]
name = "b"
address = "10.0.0.101"
port = 80
delivery = "ipip"
health = { type = "tcp", interval = "1s", timeout = "1500ms" }
"#,
        r#"
sluice.toml:6:38: error: `soon` is not a duration
   6 | health = { type = "http", interval = "soon", timeout = "10" }
     |                                      ^^^^^^
   help: write a number and its unit, like `"500ms"`, `"2s"` or `"1m 30s"`
sluice.toml:6:56: error: `10` is not a duration
   6 | health = { type = "http", interval = "soon", timeout = "10" }
     |                                                        ^^^^
   help: write a number and its unit, like `"500ms"`, `"2s"` or `"1m 30s"`
sluice.toml:12:53: error: `timeout` is 1s 500ms, longer than `interval`, which is 1s
   12 | health = { type = "tcp", interval = "1s", timeout = "1500ms" }
      |                                                     ^^^^^^^^
   help: write at most 1s, or check less often
3 errors; nothing was changed
"#,
    );
}

#[test]
fn a_check_of_the_wrong_type() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
health = { type = "tcp", path = "/", status = ["200"] }
"#,
        r#"
sluice.toml:6:33: error: `path` has no meaning in a health check of type `tcp`
   6 | health = { type = "tcp", path = "/", status = ["200"] }
     |                                 ^^^
   help: write `type = "http"`, or remove the key
sluice.toml:6:47: error: `status` has no meaning in a health check of type `tcp`
   6 | health = { type = "tcp", path = "/", status = ["200"] }
     |                                               ^^^^^^^
   help: write `type = "http"`, or remove the key
2 errors; nothing was changed
"#,
    );
}

#[test]
fn what_is_sent_over_http_is_checked() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
health = { type = "http", path = "health", host = "a b", status = ["2xx", 99, "300-200"] }
[[service]]
name = "b"
address = "10.0.0.101"
port = 80
delivery = "ipip"
health = { type = "http", status = [] }
"#,
        r#"
sluice.toml:6:34: error: `health` is not the path of a URL
   6 | health = { type = "http", path = "health", host = "a b", status = ["2xx", 99, "300-200"] }
     |                                  ^^^^^^^^
   help: begin it with `/` and write other characters than ASCII's as `%XX`: it is sent as it stands
sluice.toml:6:51: error: `a b` cannot be sent as the Host header
   6 | health = { type = "http", path = "health", host = "a b", status = ["2xx", 99, "300-200"] }
     |                                                   ^^^^^
   help: write a name like `www.example.org`, with a port if the server wants one
sluice.toml:6:68: error: `2xx` is not a range of HTTP statuses
   6 | health = { type = "http", path = "health", host = "a b", status = ["2xx", 99, "300-200"] }
     |                                                                    ^^^^^
   help: write `"200"` or `"200-299"`, within 100 to 599
sluice.toml:6:75: error: `status` cannot be 99
   6 | health = { type = "http", path = "health", host = "a b", status = ["2xx", 99, "300-200"] }
     |                                                                           ^^
   help: it goes from 100 to 599
sluice.toml:6:79: error: `300-200` is not a range of HTTP statuses
   6 | health = { type = "http", path = "health", host = "a b", status = ["2xx", 99, "300-200"] }
     |                                                                               ^^^^^^^^^
   help: write `"200"` or `"200-299"`, within 100 to 599
sluice.toml:12:36: error: with an empty `status` no check can pass
   12 | health = { type = "http", status = [] }
      |                                    ^^
   help: name one, as in `["200-299"]`
6 errors; nothing was changed
"#,
    );
}

#[test]
fn addresses_that_are_none() {
    refuses(
        r#"
[[service]]
name = "web"
address = "web.example.org"
port = 80
delivery = "ipip"
[[service.backend]]
address = "10.0.1.1:80"
[[service.backend]]
address = "10.0.1.0/24"
[[service.backend]]
address = "fe80::1%eth0"
[[service.backend]]
address = "::ffff:10.0.1.1"
"#,
        r#"
sluice.toml:3:11: error: `web.example.org` is not an IP address
   3 | address = "web.example.org"
     |           ^^^^^^^^^^^^^^^^^
   help: write an address like `192.0.2.1` or `2001:db8::1`; names are not looked up
sluice.toml:7:11: error: `10.0.1.1:80` is not an IP address
   7 | address = "10.0.1.1:80"
     |           ^^^^^^^^^^^^^
   help: write the address alone; a port has a key of its own, `port`
sluice.toml:9:11: error: `10.0.1.0/24` is not an IP address
   9 | address = "10.0.1.0/24"
     |           ^^^^^^^^^^^^^
   help: leave out the `/` and the length: one address is meant here
sluice.toml:11:11: error: `fe80::1%eth0` is not an IP address
   11 | address = "fe80::1%eth0"
      |           ^^^^^^^^^^^^^^
   help: leave out the `%` and the interface
sluice.toml:13:11: error: `::ffff:10.0.1.1` is an IPv4 address in IPv6 clothes
   13 | address = "::ffff:10.0.1.1"
      |           ^^^^^^^^^^^^^^^^^
   help: write `10.0.1.1`
5 errors; nothing was changed
"#,
    );
}

#[test]
fn addresses_that_nobody_can_reach() {
    refuses(
        r#"
[[service]]
name = "a"
address = "0.0.0.0"
port = 80
delivery = "ipip"
[[service]]
name = "b"
address = "224.0.0.1"
port = 80
delivery = "ipip"
[[service]]
name = "c"
address = "127.0.0.1"
port = 80
delivery = "ipip"
[[service]]
name = "d"
address = "::"
port = 80
delivery = "ipip"
[[service]]
name = "e"
address = "fe80::1"
port = 80
delivery = "ipip"
[[service]]
name = "f"
address = "255.255.255.255"
port = 80
delivery = "ipip"
"#,
        r#"
sluice.toml:3:11: error: `0.0.0.0` is the unspecified address
   3 | address = "0.0.0.0"
     |           ^^^^^^^^^
   help: use the address that packets are sent to over the network
sluice.toml:8:11: error: `224.0.0.1` is a multicast address
   8 | address = "224.0.0.1"
     |           ^^^^^^^^^^^
   help: use the address that packets are sent to over the network
sluice.toml:13:11: error: `127.0.0.1` is a loopback address
   13 | address = "127.0.0.1"
      |           ^^^^^^^^^^^
   help: use the address that packets are sent to over the network
sluice.toml:18:11: error: `::` is the unspecified address
   18 | address = "::"
      |           ^^^^
   help: use the address that packets are sent to over the network
sluice.toml:23:11: error: `fe80::1` is a link-local address
   23 | address = "fe80::1"
      |           ^^^^^^^^^
   help: it means nothing without its interface; use a global or a private address
sluice.toml:28:11: error: `255.255.255.255` is the broadcast address
   28 | address = "255.255.255.255"
      |           ^^^^^^^^^^^^^^^^^
   help: use the address that packets are sent to over the network
6 errors; nothing was changed
"#,
    );
}

#[test]
fn sources_of_the_wrong_family() {
    refuses(
        r#"
[node]
source_v4 = "fd00::2"
source_v6 = "10.0.0.2"
"#,
        r#"
sluice.toml:2:13: error: `fd00::2` is not an IPv4 address
   2 | source_v4 = "fd00::2"
     |             ^^^^^^^^^
   help: give an IPv6 source as `source_v6`
sluice.toml:3:13: error: `10.0.0.2` is not an IPv6 address
   3 | source_v6 = "10.0.0.2"
     |             ^^^^^^^^^^
   help: give an IPv4 source as `source_v4`
2 errors; nothing was changed
"#,
    );
}

#[test]
fn the_secret_is_128_bits() {
    refuses(
        r#"
[node]
secret = "00112233"
"#,
        r#"
sluice.toml:2:10: error: `secret` is not 32 hexadecimal digits
   2 | secret = "00112233"
     |          ^^^^^^^^^^
   help: make one with `openssl rand -hex 16`; leave the key out on a node without peers, and it makes its own
1 error; nothing was changed
"#,
    );
}

#[test]
fn names_and_interfaces() {
    refuses(
        r#"
[node]
interfaces = ["eth0", "a-very-long-name", "eth/1", "eth0"]
[[service]]
name = "my web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
"#,
        r#"
sluice.toml:2:23: error: `a-very-long-name` cannot be the name of an interface
   2 | interfaces = ["eth0", "a-very-long-name", "eth/1", "eth0"]
     |                       ^^^^^^^^^^^^^^^^^^
   help: a name has 1 to 15 bytes without spaces, `/` and `:`; `ip link` lists those there are
sluice.toml:2:43: error: `eth/1` cannot be the name of an interface
   2 | interfaces = ["eth0", "a-very-long-name", "eth/1", "eth0"]
     |                                           ^^^^^^^
   help: a name has 1 to 15 bytes without spaces, `/` and `:`; `ip link` lists those there are
sluice.toml:2:52: error: the interface `eth0` is named already, in line 2
   2 | interfaces = ["eth0", "a-very-long-name", "eth/1", "eth0"]
     |                                                    ^^^^^^
   help: remove one of the two
sluice.toml:4:8: error: `my web` is not a name
   4 | name = "my web"
     |        ^^^^^^^^
   help: use 1 to 64 letters, digits and `-`, `_`, `.`, `:`, with no `-` in front
4 errors; nothing was changed
"#,
    );
}

#[test]
fn prefixes() {
    refuses(
        r#"
[firewall]
allow = ["192.0.2.7/24", "2001:db8::1/32", "::ffff:0:0/96", "192.0.2.0/33"]
deny = ["0.0.0.0/0", "::/0", "here", "::ffff:192.0.2.1"]
"#,
        r#"
sluice.toml:2:10: error: `192.0.2.7/24` has bits set behind its length
   2 | allow = ["192.0.2.7/24", "2001:db8::1/32", "::ffff:0:0/96", "192.0.2.0/33"]
     |          ^^^^^^^^^^^^^^
   help: write `192.0.2.0/24` for the whole prefix, or `192.0.2.7` for the one address
sluice.toml:2:26: error: `2001:db8::1/32` has bits set behind its length
   2 | allow = ["192.0.2.7/24", "2001:db8::1/32", "::ffff:0:0/96", "192.0.2.0/33"]
     |                          ^^^^^^^^^^^^^^^^
   help: write `2001:db8::/32` for the whole prefix, or `2001:db8::1` for the one address
sluice.toml:2:44: error: `::ffff:0:0/96` is an IPv4 prefix in IPv6 clothes
   2 | allow = ["192.0.2.7/24", "2001:db8::1/32", "::ffff:0:0/96", "192.0.2.0/33"]
     |                                            ^^^^^^^^^^^^^^^
   help: write `0.0.0.0/0`
sluice.toml:2:61: error: `192.0.2.0/33` is neither an address nor a prefix
   2 | allow = ["192.0.2.7/24", "2001:db8::1/32", "::ffff:0:0/96", "192.0.2.0/33"]
     |                                                             ^^^^^^^^^^^^^^
   help: write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`
sluice.toml:3:9: error: `0.0.0.0/0` in a deny list would drop every packet, your own session's too
   3 | deny = ["0.0.0.0/0", "::/0", "here", "::ffff:192.0.2.1"]
     |         ^^^^^^^^^^^
   help: name the sources that you mean; if you mean all, say so with `force` (`--force` in a command)
sluice.toml:3:22: error: `::/0` in a deny list would drop every packet, your own session's too
   3 | deny = ["0.0.0.0/0", "::/0", "here", "::ffff:192.0.2.1"]
     |                      ^^^^^^
   help: name the sources that you mean; if you mean all, say so with `force` (`--force` in a command)
sluice.toml:3:30: error: `here` is neither an address nor a prefix
   3 | deny = ["0.0.0.0/0", "::/0", "here", "::ffff:192.0.2.1"]
     |                              ^^^^^^
   help: write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`
sluice.toml:3:38: error: `::ffff:192.0.2.1` is an IPv4 address in IPv6 clothes
   3 | deny = ["0.0.0.0/0", "::/0", "here", "::ffff:192.0.2.1"]
     |                                      ^^^^^^^^^^^^^^^^^^
   help: write `192.0.2.1`
8 errors; nothing was changed
"#,
    );
}
