//! Pools that are wrong, or do not fit their services.

use super::refuses;

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
