//! Values that are wrong together.

use super::refuses;

#[test]
fn services_that_are_there_already() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service]]
name = "other"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service]]
name = "web"
address = "10.0.0.101"
port = 80
delivery = "ipip"
"#,
        r#"
sluice.toml:8:11: error: 10.0.0.100 port 80 (tcp) belongs to service `web` already, in line 1
   8 | address = "10.0.0.100"
     |           ^^^^^^^^^^^^
   help: move the backends into one service, or change address, port or protocol
sluice.toml:12:8: error: a service named `web` is there already, in line 2
   12 | name = "web"
      |        ^^^^^
   help: give each service a name of its own
2 errors; nothing was changed
"#,
    );
}

#[test]
fn backends_that_are_there_already() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service.backend]]
address = "10.0.1.1"
name = "a"
[[service.backend]]
address = "10.0.1.1"
name = "b"
[[service.backend]]
address = "10.0.1.2"
name = "a"
[[service.backend]]
address = "10.0.1.3"
name = "10.0.1.1"
"#,
        r#"
sluice.toml:10:11: error: 10.0.1.1 is a backend of service `web` already, in line 7
   10 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: remove one of the two; a larger `weight` gives a backend more
sluice.toml:14:8: error: a backend named `a` is there already, in line 8
   14 | name = "a"
      |        ^^^
   help: give each backend of a service a `name` of its own; the default is its address
sluice.toml:17:8: error: a backend named `10.0.1.1` has the address 10.0.1.3
   17 | name = "10.0.1.1"
      |        ^^^^^^^^^^
   help: use a name that is not an address
3 errors; nothing was changed
"#,
    );
}

/// Two names whose short identities are the same, found by trying.
#[test]
fn names_that_the_tables_cannot_tell_apart() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "l2"
[[service.backend]]
name = "web4096"
address = "10.0.1.1"
[[service.backend]]
name = "web15450"
address = "10.0.1.2"
"#,
        r#"
sluice.toml:10:8: error: the names `web4096` and `web15450` look alike to the kernel's tables
   10 | name = "web15450"
      |        ^^^^^^^^^^
   help: rename one of the two; it is a coincidence of a hash
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_family_that_cannot_be_delivered() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "nat"
[[service.backend]]
address = "fd00::1"
[[service]]
name = "b"
address = "fd00::100"
port = 80
delivery = "l2"
[[service.backend]]
address = "10.0.1.1"
"#,
        r#"
sluice.toml:7:11: error: `nat` cannot bring IPv4 packets to fd00::1, which is an IPv6 address
   7 | address = "fd00::1"
     |           ^^^^^^^^^
   help: give the IPv4 address of the server, or write `delivery = "ipip"` or `"gue"`, which carry both
sluice.toml:14:11: error: `l2` cannot bring IPv6 packets to 10.0.1.1, which is an IPv4 address
   14 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: give the IPv6 address of the server, or write `delivery = "ipip"` or `"gue"`, which carry both
2 errors; nothing was changed
"#,
    );
}

#[test]
fn gue_ports() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
gue_port = 6080
[[service]]
name = "gue"
address = "10.0.0.101"
port = 80
delivery = "gue"
gue_port = 0
[[service.backend]]
address = "fd00::1"
port = 8080
[[service]]
name = "words"
address = "10.0.0.102"
port = 80
delivery = "gue"
gue_port = "6080"
"#,
        r#"
sluice.toml:6:12: error: service `web` cannot have a `gue_port`: its delivery is `ipip`
   6 | gue_port = 6080
     |            ^^^^
   help: remove it, or write `delivery = "gue"`
sluice.toml:12:12: error: `gue_port` cannot be 0
   12 | gue_port = 0
      |            ^
   help: it goes from 1 to 65535
sluice.toml:15:8: error: a backend of service `gue` cannot have a `port`: `gue` does not rewrite it
   15 | port = 8080
      |        ^^^^
   help: remove it, and let the server listen on the service's port; or write `delivery = "nat"`
sluice.toml:21:12: error: `gue_port` must be an integer, not a string
   21 | gue_port = "6080"
      |            ^^^^^^
   help: write a whole number without quotes
4 errors; nothing was changed
"#,
    );
}

#[test]
fn ports_that_nobody_writes() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service.backend]]
address = "10.0.1.1"
port = 8080
[[service]]
name = "any"
address = "10.0.0.101"
port = "any"
delivery = "nat"
health = { type = "tcp" }
[[service.backend]]
address = "10.0.1.2"
port = 8080
"#,
        r#"
sluice.toml:8:8: error: a backend of service `web` cannot have a `port`: `ipip` does not rewrite it
   8 | port = 8080
     |        ^^^^
   help: remove it, and let the server listen on the service's port; or write `delivery = "nat"`
sluice.toml:14:10: error: the health check of service `any` does not know its port: the service has any port
   14 | health = { type = "tcp" }
      |          ^^^^^^^^^^^^^^^^
   help: add a `port` to the check
sluice.toml:17:8: error: a backend of service `any` cannot have a `port`: the service has any port
   17 | port = 8080
      |        ^^^^
   help: remove it; a reply could not be given the client's port back
3 errors; nothing was changed
"#,
    );
}

#[test]
fn nat_that_cannot_tell_replies_apart() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.100"
port = 80
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
port = 8080
[[service]]
name = "b"
address = "10.0.0.101"
port = 8080
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
name = "web1"
"#,
        r#"
sluice.toml:15:11: error: replies from 10.0.1.1 port 8080 (tcp) could belong to service `b` or, in line 7, to backend `10.0.1.1` of service `a`
   15 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: `nat` knows a reply by the backend's address and port alone: give the server a second address or port for one of the services, or use `ipip` or `l2`
1 error; nothing was changed
"#,
    );
}

#[test]
fn nat_with_any_port_that_cannot_tell_replies_apart() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.100"
port = 80
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
port = 8080
[[service]]
name = "b"
address = "10.0.0.101"
port = "any"
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
name = "web1"
"#,
        r#"
sluice.toml:15:11: error: replies from 10.0.1.1 (tcp) could belong to service `b` or, in line 7, to backend `10.0.1.1` of service `a`
   15 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: `nat` knows a reply by the backend's address and port alone: give the server a second address or port for one of the services, or use `ipip` or `l2`
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_backend_that_is_a_service() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service.backend]]
address = "10.0.0.101"
[[service]]
name = "b"
address = "10.0.0.101"
port = 80
delivery = "nat"
[[service.backend]]
address = "10.0.0.101"
"#,
        r#"
sluice.toml:7:11: error: 10.0.0.101 is the address of service `b`, in line 8, so it cannot be a backend's
   7 | address = "10.0.0.101"
     |           ^^^^^^^^^^^^
   help: name the address that the server itself has; packets to it would come back here
sluice.toml:14:11: error: 10.0.0.101 is the address of its service, so it cannot be a backend's
   14 | address = "10.0.0.101"
      |           ^^^^^^^^^^^^
   help: name the address that the server itself has; packets to it would come back here
2 errors; nothing was changed
"#,
    );
}

#[test]
fn a_backend_that_is_there_twice_is_one_error_under_nat() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "nat"
backend = [
    { name = "a", address = "10.0.1.1" },
    { name = "b", address = "10.0.1.1", port = 80 },
    { name = "c", address = "10.0.1.1", port = 81 },
]
"#,
        r#"
sluice.toml:8:29: error: 10.0.1.1 is a backend of service `web` already, in line 7
   8 |     { name = "b", address = "10.0.1.1", port = 80 },
     |                             ^^^^^^^^^^
   help: remove one of the two; a larger `weight` gives a backend more
1 error; nothing was changed
"#,
    );
}

#[test]
fn without_nat_a_port_does_not_make_another_backend() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "l2"
backend = [
    { name = "a", address = "10.0.0.1" },
    { name = "b", address = "10.0.0.1", port = 81 },
]
"#,
        r#"
sluice.toml:8:29: error: 10.0.0.1 is a backend of service `web` already, in line 7
   8 |     { name = "b", address = "10.0.0.1", port = 81 },
     |                             ^^^^^^^^^^
   help: remove one of the two; a larger `weight` gives a backend more
sluice.toml:8:48: error: a backend of service `web` cannot have a `port`: `l2` does not rewrite it
   8 |     { name = "b", address = "10.0.0.1", port = 81 },
     |                                                ^^
   help: remove it, and let the server listen on the service's port; or write `delivery = "nat"`
2 errors; nothing was changed
"#,
    );
}
