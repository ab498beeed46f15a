//! Ports, prefixes and allowed sources that are wrong.

use super::refuses;

#[test]
fn ports_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = []
delivery = "l2"
[[service]]
name = "b"
address = "10.0.0.2"
port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
delivery = "l2"
[[service]]
name = "c"
address = "10.0.0.3"
port = [80, "8000-8100", "8100-8200", 80, 8050]
delivery = "l2"
"#,
        r#"
sluice.toml:4:8: error: with an empty `port` no packet is for the service
   4 | port = []
     |        ^^
   help: write a port like `80`, a range like `"8000-8100"`, or `"any"`
sluice.toml:9:9: error: `any` cannot stand in a list
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |         ^^^^^
   help: write `port = "any"`, which includes all others
sluice.toml:9:16: error: `port` cannot be 0
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                ^
   help: it goes from 1 to 65535
sluice.toml:9:19: error: `80` is not a range of ports
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                   ^^^^
   help: write `80`, without quotes
sluice.toml:9:25: error: `90-80` ends before it begins
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                         ^^^^^^^
   help: write `"80-90"`
sluice.toml:9:34: error: `0-5` is not a range of ports
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                                  ^^^^^
   help: a port goes from 1 to 65535
sluice.toml:9:41: error: `1-70000` is not a range of ports
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                                         ^^^^^^^^^
   help: a port goes from 1 to 65535
sluice.toml:9:52: error: `x-y` is not a range of ports
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                                                    ^^^^^
   help: a port goes from 1 to 65535
sluice.toml:9:59: error: an element of `port` must be an integer, not a number with a fraction
   9 | port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
     |                                                           ^^^^
   help: write a whole number without quotes
sluice.toml:14:26: error: `8100-8200` and `8000-8100` overlap
   14 | port = [80, "8000-8100", "8100-8200", 80, 8050]
      |                          ^^^^^^^^^^^
   help: name each port once
sluice.toml:14:39: error: `80` is there twice
   14 | port = [80, "8000-8100", "8100-8200", 80, 8050]
      |                                       ^^
   help: name each port once
sluice.toml:14:43: error: `8050` and `8000-8100` overlap
   14 | port = [80, "8000-8100", "8100-8200", 80, 8050]
      |                                           ^^^^
   help: name each port once
12 errors; nothing was changed
"#,
    );
}

#[test]
fn ports_of_two_services() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = [443, "8000-8100"]
delivery = "l2"
[[service]]
name = "b"
address = "10.0.0.1"
port = [80, "8100-8200", 443]
delivery = "l2"
[[service]]
name = "same-range"
address = "10.0.0.1"
port = "8000-8100"
delivery = "l2"
[[service]]
name = "udp"
address = "10.0.0.1"
port = [443, "8000-8100"]
protocol = "udp"
delivery = "l2"
[[service]]
name = "single"
address = "10.0.0.1"
port = 8050
delivery = "l2"
"#,
        r#"
sluice.toml:8:11: error: 10.0.0.1 port 443 (tcp) belongs to service `a` already, in line 1
   8 | address = "10.0.0.1"
     |           ^^^^^^^^^^
   help: move the backends into one service, or change address, port or protocol
sluice.toml:9:8: error: 10.0.0.1 ports 8100-8200 overlap with 8000-8100 of service `a`, in line 1
   9 | port = [80, "8100-8200", 443]
     |        ^^^^^^^^^^^^^^^^^^^^^^
   help: give each port to one service; only a single port may be in a range of another service, and comes first
sluice.toml:14:8: error: 10.0.0.1 ports 8000-8100 overlap with 8000-8100 of service `a`, in line 1
   14 | port = "8000-8100"
      |        ^^^^^^^^^^^
   help: give each port to one service; only a single port may be in a range of another service, and comes first
3 errors; nothing was changed
"#,
    );
}

#[test]
fn ports_that_nobody_can_rewrite() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = [80, 443]
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
port = 8080
[[service]]
name = "b"
address = "10.0.0.2"
port = "8000-8100"
delivery = "nat"
health = { type = "tcp" }
[[service.backend]]
address = "10.0.1.2"
port = 8080
"#,
        r#"
sluice.toml:8:8: error: a backend of service `a` cannot have a `port`: the service has several ports
   8 | port = 8080
     |        ^^^^
   help: remove it; a reply could not be given the client's port back
sluice.toml:14:10: error: the health check of service `b` does not know its port: the service has several ports
   14 | health = { type = "tcp" }
      |          ^^^^^^^^^^^^^^^^
   help: add a `port` to the check
sluice.toml:17:8: error: a backend of service `b` cannot have a `port`: the service has several ports
   17 | port = 8080
      |        ^^^^
   help: remove it; a reply could not be given the client's port back
3 errors; nothing was changed
"#,
    );
}

#[test]
fn replies_of_ranges_that_could_be_confused() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = "8000-8100"
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "within"
address = "10.0.0.2"
port = 8050
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "beside"
address = "10.0.0.3"
port = 9000
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "range"
address = "10.0.0.4"
port = ["9100-9200", "8100-8200"]
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "disjoint"
address = "10.0.0.5"
port = "7000-7100"
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
"#,
        r#"
sluice.toml:14:11: error: replies from 10.0.1.1 port 8050 (tcp) could belong to service `within` or, in line 7, to backend `10.0.1.1` of service `a`
   14 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: `nat` knows a reply by the backend's address and port alone: give the server a second address or port for one of the services, or use `ipip` or `l2`
sluice.toml:28:11: error: replies from 10.0.1.1 (tcp) could belong to service `range` or, in line 7, to backend `10.0.1.1` of service `a`
   28 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: `nat` knows the replies of ranges by the backend's address alone: put the ranges into one service, give the server a second address, or use `ipip` or `l2`
sluice.toml:35:11: error: replies from 10.0.1.1 (tcp) could belong to service `disjoint` or, in line 7, to backend `10.0.1.1` of service `a`
   35 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: `nat` knows the replies of ranges by the backend's address alone: put the ranges into one service, give the server a second address, or use `ipip` or `l2`
3 errors; nothing was changed
"#,
    );
}

#[test]
fn prefixes_that_cannot_be() {
    refuses(
        r#"
[[service]]
name = "nat"
address = "10.0.1.0/24"
port = 80
delivery = "nat"
[[service]]
name = "bits"
address = "10.0.2.1/24"
port = 80
delivery = "l2"
[[service]]
name = "large"
address = "10.0.0.0/7"
port = 80
delivery = "l2"
[[service]]
name = "large6"
address = "2000::/3"
port = 80
delivery = "l2"
[[service]]
name = "multicast"
address = "224.0.0.0/24"
port = 80
delivery = "l2"
[[service]]
name = "twice"
address = "10.0.1.0/24"
port = 80
delivery = "l2"
[[service]]
name = "own"
address = "10.0.3.0/24"
port = 80
delivery = "l2"
[[service.backend]]
address = "10.0.3.7"
[[service]]
name = "other"
address = "10.0.4.1"
port = 80
delivery = "l2"
[[service.backend]]
address = "10.0.3.8"
"#,
        r#"
sluice.toml:3:11: error: `nat` cannot serve a prefix: a reply could not be given its address in 10.0.1.0/24 back
   3 | address = "10.0.1.0/24"
     |           ^^^^^^^^^^^^^
   help: name one address, or write `delivery = "ipip"` or `"l2"`
sluice.toml:8:11: error: `10.0.2.1/24` has bits set behind its length
   8 | address = "10.0.2.1/24"
     |           ^^^^^^^^^^^^^
   help: write `10.0.2.0/24` for the whole prefix, or `10.0.2.1` for the one address
sluice.toml:13:11: error: `10.0.0.0/7` is too large for a service
   13 | address = "10.0.0.0/7"
      |           ^^^^^^^^^^^^
   help: an IPv4 prefix has at least /8
sluice.toml:18:11: error: `2000::/3` is too large for a service
   18 | address = "2000::/3"
      |           ^^^^^^^^^^
   help: an IPv6 prefix has at least /16
sluice.toml:23:11: error: `224.0.0.0` is a multicast address
   23 | address = "224.0.0.0/24"
      |           ^^^^^^^^^^^^^^
   help: use the address that packets are sent to over the network
sluice.toml:28:11: error: 10.0.1.0/24 port 80 (tcp) belongs to service `nat` already, in line 1
   28 | address = "10.0.1.0/24"
      |           ^^^^^^^^^^^^^
   help: move the backends into one service, or change address, port or protocol
sluice.toml:37:11: error: 10.0.3.7 is an address of its service, so it cannot be a backend's
   37 | address = "10.0.3.7"
      |           ^^^^^^^^^^
   help: name the address that the server itself has; packets to it would come back here
sluice.toml:44:11: error: 10.0.3.8 is an address of service `own`, in line 31, so it cannot be a backend's
   44 | address = "10.0.3.8"
      |           ^^^^^^^^^^
   help: name the address that the server itself has; packets to it would come back here
8 errors; nothing was changed
"#,
    );
}

#[test]
fn sources_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = 80
delivery = "l2"
allow_from = []
[[service]]
name = "b"
address = "10.0.0.2"
port = 80
delivery = "l2"
allow_from = "10.0.0.0/8"
[[service]]
name = "c"
address = "10.0.0.3"
port = 80
delivery = "l2"
allow_from = ["10.0.0.1/8", "office", "::ffff:10.0.0.0/104"]
"#,
        r#"
sluice.toml:6:14: error: with an empty `allow_from` nobody can use the service
   6 | allow_from = []
     |              ^^
   help: name sources, or remove it
sluice.toml:12:14: error: `allow_from` must be an array, not a string
   12 | allow_from = "10.0.0.0/8"
      |              ^^^^^^^^^^^^
   help: put it in square brackets, as in `allow_from = [ … ]`
sluice.toml:18:15: error: `10.0.0.1/8` has bits set behind its length
   18 | allow_from = ["10.0.0.1/8", "office", "::ffff:10.0.0.0/104"]
      |               ^^^^^^^^^^^^
   help: write `10.0.0.0/8` for the whole prefix, or `10.0.0.1` for the one address
sluice.toml:18:29: error: `office` is neither an address nor a prefix
   18 | allow_from = ["10.0.0.1/8", "office", "::ffff:10.0.0.0/104"]
      |                             ^^^^^^^^
   help: write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`
sluice.toml:18:39: error: `::ffff:10.0.0.0/104` is an IPv4 prefix in IPv6 clothes
   18 | allow_from = ["10.0.0.1/8", "office", "::ffff:10.0.0.0/104"]
      |                                       ^^^^^^^^^^^^^^^^^^^^^
   help: write `10.0.0.0/8`
5 errors; nothing was changed
"#,
    );
}
