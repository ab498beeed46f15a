//! Ports, prefixes, pools and allowed sources that are wrong.

use std::fmt::Write;

use super::{errors, refuses, valid};

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
fn pools_that_fit_nowhere() {
    refuses(
        r#"
[[pool]]
name = "web-servers"
[[pool.backend]]
address = "10.0.1.1"
[[pool.backend]]
address = "10.0.1.1"
name = "b"
[[pool.backend]]
address = "10.0.1.2"
name = "b"
[[pool]]
name = "unused"
[[pool]]
name = "taken"
[[pool]]
name = "web-servers"
[[pool]]
[[service]]
name = "web"
address = "10.0.0.1"
port = 80
delivery = "l2"
pool = "web-servers"
[[service]]
name = "taken"
address = "10.0.0.2"
port = 80
delivery = "l2"
pool = "web-server"
[[service]]
name = "both"
address = "10.0.0.3"
port = 80
delivery = "l2"
pool = "taken"
[[service.backend]]
address = "10.0.1.9"
"#,
        r#"
sluice.toml:6:11: error: 10.0.1.1 is a backend of pool `web-servers` already, in line 4
   6 | address = "10.0.1.1"
     |           ^^^^^^^^^^
   help: remove one of the two; a larger `weight` gives a backend more
sluice.toml:10:8: error: a backend named `b` is there already, in line 7
   10 | name = "b"
      |        ^^^
   help: give each backend of a pool a `name` of its own; the default is its address
sluice.toml:12:8: error: no service uses the pool `unused`
   12 | name = "unused"
      |        ^^^^^^^^
   help: write `pool = "unused"` in a service, or remove it
sluice.toml:14:8: error: a service named `taken` is there already, in line 25
   14 | name = "taken"
      |        ^^^^^^^
   help: give the pool a name of its own: commands take services and pools by name
sluice.toml:16:8: error: a pool named `web-servers` is there already, in line 2
   16 | name = "web-servers"
      |        ^^^^^^^^^^^^^
   help: give the pool a name of its own: commands take services and pools by name
sluice.toml:17:1: error: `name` is missing in a pool
   17 | [[pool]]
      | ^^^^^^^^
   help: give the pool a name for services and commands to use
sluice.toml:29:8: error: there is no pool `web-server`
   29 | pool = "web-server"
      |        ^^^^^^^^^^^^
   help: did you mean `web-servers`?
sluice.toml:35:8: error: service `both` has both a `pool` and backends of its own
   35 | pool = "taken"
      |        ^^^^^^^
   help: keep one of the two
8 errors; nothing was changed
"#,
    );
}

#[test]
fn pools_that_do_not_fit_their_services() {
    refuses(
        r#"
[[pool]]
name = "servers"
health = { type = "tcp" }
[[pool.backend]]
address = "10.0.1.1"
port = 8080
[[pool.backend]]
address = "fd00::1"
[[pool.backend]]
address = "10.0.0.1"
[[service]]
name = "web"
address = "10.0.0.1"
port = 80
delivery = "ipip"
pool = "servers"
[[service]]
name = "range"
address = "10.0.0.2"
port = "8000-8100"
delivery = "l2"
pool = "servers"
"#,
        r#"
sluice.toml:3:10: error: the health check of service `range` does not know its port: the service has several ports
   3 | health = { type = "tcp" }
     |          ^^^^^^^^^^^^^^^^
   help: add a `port` to the check
sluice.toml:6:8: error: a backend of service `range` cannot have a `port`: `l2` does not rewrite it
   6 | port = 8080
     |        ^^^^
   help: remove it, and let the server listen on the service's port; or write `delivery = "nat"`
sluice.toml:6:8: error: a backend of service `web` cannot have a `port`: `ipip` does not rewrite it
   6 | port = 8080
     |        ^^^^
   help: remove it, and let the server listen on the service's port; or write `delivery = "nat"`
sluice.toml:8:11: error: `l2` cannot bring IPv4 packets to fd00::1, which is an IPv6 address
   8 | address = "fd00::1"
     |           ^^^^^^^^^
   help: give the IPv4 address of the server, or write `delivery = "ipip"` or `"gue"`, which carry both
sluice.toml:10:11: error: 10.0.0.1 is the address of service `web`, in line 11, so it cannot be a backend's
   10 | address = "10.0.0.1"
      |           ^^^^^^^^^^
   help: name the address that the server itself has; packets to it would come back here
5 errors; nothing was changed
"#,
    );
}

#[test]
fn a_table_where_pools_are_expected() {
    refuses(
        r#"
[pool]
name = "servers"
"#,
        r#"
sluice.toml:1:1: error: `pool` must be an array of tables, not a table
   1 | [pool]
     | ^^^^^^
   help: write `[[pool]]`, with double brackets, in front of each pool
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_pool_that_nobody_has_defined() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.1"
port = 80
delivery = "l2"
pool = "servers"
"#,
        r#"
sluice.toml:6:8: error: there is no pool `servers`
   6 | pool = "servers"
     |        ^^^^^^^^^
   help: add it: a section `[[pool]]` with this `name`
1 error; nothing was changed
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

fn service(number: usize, address: &str, port: &str) -> String {
    format!(
        "[[service]]\nname = 's{number}'\naddress = '{address}'\nport = {port}\ndelivery = 'l2'\nring.rows = 1024\n"
    )
}

#[test]
fn an_address_has_room_for_twenty_ranges() {
    let range = |number: usize| format!("'{}-{}'", 100 * number, 100 * number + 50);
    let ranges = |count| (1..=count).map(range).collect::<Vec<_>>().join(", ");
    valid(&service(1, "10.0.0.1", &format!("[{}]", ranges(20))));
    let shown = errors(&service(1, "10.0.0.1", &format!("[{}]", ranges(21))));
    assert!(shown.contains("error: 10.0.0.1 has 21 ranges of ports (tcp), and there is room for 20\n"), "{shown}");
    let any = service(2, "10.0.0.1", "'any'");
    valid(&(service(1, "10.0.0.1", &format!("[{}]", ranges(19))) + &any));
    let shown = errors(&(service(1, "10.0.0.1", &format!("[{}]", ranges(20))) + &any));
    assert!(shown.contains("error: 10.0.0.1 has 20 ranges of ports (tcp), and there is room for 19\n"), "{shown}");
}

#[test]
fn there_is_room_for_2048_ports_and_addresses() {
    let ports = |count: usize| format!("[{}]", (1..=count).map(|port| port.to_string()).collect::<Vec<_>>().join(", "));
    valid(&service(1, "10.0.0.1", &ports(2047)));
    let shown = errors(&service(1, "10.0.0.1", &ports(2048)));
    let expected = "error: the services have 2049 ports and addresses, and there is room for 2048\n";
    assert!(shown.starts_with(&format!("sluice.toml:4:8: {expected}")), "{shown}");
    // An address counts once, and so do the ranges of an address and protocol.
    valid(&(service(1, "10.0.0.1", &ports(2046)) + &service(2, "10.0.0.1", "'3000-4000'")));
    errors(&(service(1, "10.0.0.1", &ports(2046)) + &service(2, "10.0.0.2", "'3000-4000'")));
}

#[test]
fn there_is_room_for_four_lengths_of_prefixes_in_each_family() {
    let v4 = |length: usize| service(length, &format!("10.{length}.0.0/{length}"), "80");
    let four: String = (20..24).map(v4).collect();
    valid(&four);
    valid(&(four.clone() + &service(64, "fd00::/64", "80") + &service(1, "10.0.0.1/32", "80")));
    let shown = errors(&(four + &v4(24)));
    assert!(shown.contains("error: /24 is one length of IPv4 prefixes too many\n"), "{shown}");
    assert!(shown.contains("1 error;"), "{shown}");
}

#[test]
fn there_is_room_for_65536_sources() {
    let with_sources = |count: usize| {
        let mut text = service(1, "10.0.0.1", "80") + "allow_from = [";
        for number in 0..count {
            let _ = write!(text, "'10.{}.{}.{}',", number >> 16, number >> 8 & 255, number & 255);
        }
        text + "]\n"
    };
    valid(&with_sources(65_536));
    let shown = errors(&with_sources(65_537));
    assert!(shown.contains("error: the services allow 65537 sources, and there is room for 65536\n"), "{shown}");
}

#[test]
fn there_is_room_for_16384_sources_of_replies() {
    let with_backends = |count: usize| {
        let ports = format!("[{}]", (1..=64).map(|port| port.to_string()).collect::<Vec<_>>().join(", "));
        let mut text = service(1, "10.0.0.1", &ports).replace("l2", "nat");
        for number in 0..count {
            let _ = writeln!(text, "[[service.backend]]\naddress = '10.1.{}.{}'", number >> 8, number & 255);
        }
        text
    };
    valid(&with_backends(256));
    let shown = errors(&with_backends(257));
    let expected = "replies come from 16448 backends and ports of `nat` services, and there is room for 16384\n";
    assert!(shown.contains(expected), "{shown}");
}
