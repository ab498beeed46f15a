//! What tells flows apart, what is remembered of them, and how backends come and go.

use std::time::Duration;

use super::{refuses, valid};
use crate::{
    model::{Affinity, Clients, Moment, Service, Track},
    ring,
};

/// A service with these settings, at an address.
fn at(address: &str, settings: &str) -> Service {
    let text = format!("[[service]]\nname = 'web'\naddress = '{address}'\nport = 80\ndelivery = 'l2'\n{settings}\n");
    valid(&text).1.services.remove(0)
}

const fn clients(bits: u8, seconds: u64) -> Clients {
    Clients { bits, timeout: Duration::from_secs(seconds) }
}

#[test]
fn an_affinity_is_a_word_or_a_table() {
    let (v4, v6) = (|settings| at("10.0.0.100", settings).affinity, |settings| at("fd00::100", settings).affinity);
    assert_eq!(v4(""), Affinity::Flow);
    assert_eq!(v4("affinity = 'flow'"), Affinity::Flow);
    assert_eq!(v4("affinity = 'client'"), Affinity::Client(clients(128, 1800)));
    assert_eq!(v6("affinity = 'client'"), Affinity::Client(clients(64, 1800)));
    assert_eq!(v4("affinity = 'client-service'"), Affinity::ClientService(clients(128, 1800)));
    assert_eq!(v4("affinity = { by = 'flow' }"), Affinity::Flow);
    let table = "affinity = { by = 'client-service', prefix = 24, timeout = '1h' }";
    assert_eq!(v4(table), Affinity::ClientService(clients(96 + 24, 3600)));
    assert_eq!(v6(table), Affinity::ClientService(clients(24, 3600)));
    assert_eq!(v6("[service.affinity]\nby = 'client'\nprefix = 128"), Affinity::Client(clients(128, 1800)));
}

#[test]
fn flows_are_tracked_and_backends_started_as_written() {
    let defaults = at("10.0.0.100", "");
    assert_eq!((defaults.track, defaults.slow_start), (Track::Changes, Duration::ZERO));
    let tracks = ["changes", "always", "never"].map(|word| at("10.0.0.100", &format!("track = '{word}'")).track);
    assert_eq!(tracks, [Track::Changes, Track::Always, Track::Never]);
    assert_eq!(at("10.0.0.100", "slow_start = '1m 30s'").slow_start, Duration::from_secs(90));
}

#[test]
fn rings_of_one_seed_are_alike() {
    let ring = at("10.0.0.100", "ring = { seed = 'shop' }").ring;
    assert_eq!((ring.seed, ring.seed_of("web")), (Some(ring::identity("shop")), ring::identity("shop")));
    assert_eq!(at("10.0.0.100", "").ring.seed_of("web"), ring::identity("web"));
}

#[test]
fn a_drain_ends_at_a_moment() {
    let until = |written: &str| {
        let backend = format!("backend = [{{ address = '10.0.0.1', state = 'drain', drain_until = {written} }}]");
        at("10.0.0.100", &backend).backends[0].drain_until
    };
    let half_past_ten = Some(Moment::from_seconds(1_795_689_000));
    assert_eq!(until("2026-11-26T10:30:00Z"), half_past_ten);
    assert_eq!(until("2026-11-26 12:30:00+02:00"), half_past_ten);
    assert_eq!(until("2026-11-25T23:00:00.5-11:30"), half_past_ten);
}

#[test]
fn affinities_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.100"
port = 80
delivery = "l2"
affinity = "clients"
[[service]]
name = "b"
address = "10.0.0.101"
port = 80
delivery = "l2"
affinity = { prefix = 33, timeout = "3h" }
[[service]]
name = "c"
address = "fd00::100"
port = 80
delivery = "l2"
affinity = { by = "client", prefix = 129, timeout = "1s", mask = 1 }
[[service]]
name = "d"
address = "10.0.0.102"
port = 80
delivery = "l2"
affinity = { by = "flow", prefix = 24, timeout = "1h" }
[[service]]
name = "e"
address = "10.0.0.103"
port = 80
delivery = "l2"
affinity = true
"#,
        r#"
sluice.toml:6:12: error: `clients` is not a value of `affinity`
   6 | affinity = "clients"
     |            ^^^^^^^^^
   help: did you mean `client`? `affinity` is one of `flow`, `client` and `client-service`
sluice.toml:12:12: error: `by` is missing in an affinity
   12 | affinity = { prefix = 33, timeout = "3h" }
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   help: write `by = "client"` or `by = "client-service"`
sluice.toml:12:23: error: `prefix` cannot be 33
   12 | affinity = { prefix = 33, timeout = "3h" }
      |                       ^^
   help: it goes from 1 to 32
sluice.toml:12:37: error: `timeout` cannot be 3h
   12 | affinity = { prefix = 33, timeout = "3h" }
      |                                     ^^^^
   help: it goes from 30s to 2h
sluice.toml:18:38: error: `prefix` cannot be 129
   18 | affinity = { by = "client", prefix = 129, timeout = "1s", mask = 1 }
      |                                      ^^^
   help: it goes from 1 to 128
sluice.toml:18:53: error: `timeout` cannot be 1s
   18 | affinity = { by = "client", prefix = 129, timeout = "1s", mask = 1 }
      |                                                     ^^^^
   help: it goes from 30s to 2h
sluice.toml:18:59: error: unknown key `mask` in an affinity
   18 | affinity = { by = "client", prefix = 129, timeout = "1s", mask = 1 }
      |                                                           ^^^^
   help: the keys here are `by`, `prefix` and `timeout`
sluice.toml:24:36: error: `prefix` has no meaning in an affinity by `flow`
   24 | affinity = { by = "flow", prefix = 24, timeout = "1h" }
      |                                    ^^
   help: write `by = "client"` or `by = "client-service"`, or remove the key
sluice.toml:24:50: error: `timeout` has no meaning in an affinity by `flow`
   24 | affinity = { by = "flow", prefix = 24, timeout = "1h" }
      |                                                  ^^^^
   help: write `by = "client"` or `by = "client-service"`, or remove the key
sluice.toml:30:12: error: `affinity` must be a string or a table, not a boolean
   30 | affinity = true
      |            ^^^^
   help: write `"flow"`, `"client"` or `"client-service"`, or a table like `{ by = "client", prefix = 24 }`
10 errors; nothing was changed
"#,
    );
}

#[test]
fn tracks_starts_and_seeds_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.100"
port = 80
delivery = "l2"
track = "all"
slow_start = "500ms"
ring = { seed = "two words" }
[[service]]
name = "b"
address = "10.0.0.101"
port = 80
delivery = "l2"
track = false
slow_start = 30
"#,
        r#"
sluice.toml:6:9: error: `all` is not a value of `track`
   6 | track = "all"
     |         ^^^^^
   help: `track` is one of `changes`, `always` and `never`
sluice.toml:7:14: error: `slow_start` cannot be 500ms
   7 | slow_start = "500ms"
     |              ^^^^^^^
   help: it goes from 1s to 1h
sluice.toml:8:17: error: `two words` is not a name
   8 | ring = { seed = "two words" }
     |                 ^^^^^^^^^^^
   help: use 1 to 64 letters, digits and `-`, `_`, `.`, `:`, with no `-` in front
sluice.toml:14:9: error: `track` must be a string, not a boolean
   14 | track = false
      |         ^^^^^
   help: put it in double quotes
sluice.toml:15:14: error: `slow_start` must be a duration, not an integer
   15 | slow_start = 30
      |              ^^
   help: write the unit, in quotes: `slow_start = "30s"`
5 errors; nothing was changed
"#,
    );
}

#[test]
fn ends_of_drains_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.100"
port = 80
delivery = "l2"
[[service.backend]]
address = "10.0.0.1"
state = "drain"
drain_until = "10m"
[[service.backend]]
address = "10.0.0.2"
state = "drain"
drain_until = 2026-11-26T10:30:00
[[service.backend]]
address = "10.0.0.3"
drain_until = 2026-11-26T10:30:00Z
[[service.backend]]
address = "10.0.0.4"
state = "disabled"
drain_until = 2026-11-26T10:30:00Z
"#,
        r#"
sluice.toml:9:15: error: `drain_until` must be a date with a time, not a string
   9 | drain_until = "10m"
     |               ^^^^^
   help: write it like `2026-12-31T18:00:00Z`, or with another offset, without quotes
sluice.toml:13:15: error: `drain_until` is 2026-11-26T10:30:00, which does not say everything of when that is
   13 | drain_until = 2026-11-26T10:30:00
      |               ^^^^^^^^^^^^^^^^^^^
   help: write it like `2026-12-31T18:00:00Z`, or with another offset, without quotes
sluice.toml:16:15: error: `drain_until` has no meaning for a backend whose state is `up`
   16 | drain_until = 2026-11-26T10:30:00Z
      |               ^^^^^^^^^^^^^^^^^^^^
   help: write `state = "drain"`, or remove the key
sluice.toml:20:15: error: `drain_until` has no meaning for a backend whose state is `disabled`
   20 | drain_until = 2026-11-26T10:30:00Z
      |               ^^^^^^^^^^^^^^^^^^^^
   help: write `state = "drain"`, or remove the key
4 errors; nothing was changed
"#,
    );
}
