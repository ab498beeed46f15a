//! Edits that cannot be made say why, and change nothing.

use super::valid;
use crate::{
    api::types::{Edit, ListTerms},
    config::EditError,
    model::AdminState,
};

const TEXT: &str = r#"[node]
interfaces = ["eth0"]

[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "nat"

[[service.backend]]
name = "web1"
address = "10.0.1.1"
port = 8080

[[service.backend]]
name = "web1b"
address = "10.0.1.1"
port = 8081

[[service]]
name = "mail"
address = "10.0.0.100"
port = 25
delivery = "l2"

[firewall]
deny = ["192.0.2.0/24", "192.0.2.0/25"]
"#;

/// Asserts what is said about an edit that cannot be made.
#[track_caller]
fn refused(edit: &Edit, expected: &str) -> EditError {
    let error = valid(TEXT).0.edit(edit).expect_err("the edit was made");
    assert_eq!(error.to_string(), expected.strip_prefix('\n').unwrap_or(expected));
    error
}

fn remove(service: &str, backend: &str) -> Edit {
    Edit::BackendRemove { service: service.into(), backend: backend.into() }
}

fn add(name: &str, address: &str, port: Option<u16>, weight: Option<u32>) -> Edit {
    let address = address.parse().unwrap();
    Edit::BackendAdd { service: "web".into(), name: Some(name.into()), address, port, weight, server_id: None }
}

fn list(add: bool, list: &str, prefixes: &[&str]) -> Edit {
    let (list, prefixes) = (list.into(), prefixes.iter().map(ToString::to_string).collect());
    if add {
        Edit::ListAdd { list, prefixes, terms: ListTerms::default() }
    } else {
        Edit::ListRemove { list, prefixes }
    }
}

#[test]
fn a_service_or_backend_that_is_not_there() {
    refused(&remove("wbe", "web1"), "there is no service `wbe`; did you mean `web`?");
    refused(&remove("dns", "web1"), "there is no service `dns`; there are `web` and `mail`");
    refused(&remove("web", "web2"), "service `web` has no backend `web2`; did you mean `web1`?");
    refused(&remove("web", "10.0.1.2"), "service `web` has no backend `10.0.1.2`; there are `web1` and `web1b`");
    refused(&remove("mail", "a"), "service `mail` has no backend `a`; there are none");
    let state =
        Edit::BackendState { service: "web".into(), backend: "x".into(), state: AdminState::Up, drain_until: None };
    refused(&state, "service `web` has no backend `x`; there are `web1` and `web1b`");
    let weight = Edit::BackendWeight { service: "x".into(), backend: "web1".into(), weight: 1 };
    refused(&weight, "there is no service `x`; there are `web` and `mail`");
}

#[test]
fn an_address_that_several_backends_have() {
    refused(
        &remove("web", "10.0.1.1"),
        "service `web` has several backends with the address 10.0.1.1; name one of `web1` and `web1b`",
    );
}

#[test]
fn a_backend_that_is_there_already() {
    refused(
        &add("web1", "10.0.1.2", Some(8080), None),
        "service `web` has a backend `web1` already: 10.0.1.1 port 8080, weight 100; \
         change it with `sluice backend weight`, or remove it first",
    );
    refused(
        &add("web3", "10.0.1.1", Some(8081), None),
        "service `web` has a backend `web1b` already: 10.0.1.1 port 8081, weight 100; \
         change it with `sluice backend weight`, or remove it first",
    );
    refused(
        &add("web1", "10.0.1.1", Some(8080), Some(5)),
        "service `web` has a backend `web1` already: 10.0.1.1 port 8080, weight 100; \
         change it with `sluice backend weight`, or remove it first",
    );
}

#[test]
fn an_edit_that_makes_the_configuration_invalid() {
    let error = refused(
        &Edit::BackendWeight { service: "web".into(), backend: "web1b".into(), weight: 2000 },
        r#"
this change would make the configuration invalid:
sluice.toml:19:10: error: `weight` cannot be 2000
   19 | weight = 2000
      |          ^^^^
   help: it goes from 0 to 1000
1 error; nothing was changed"#,
    );
    assert!(matches!(error, EditError::Invalid(diagnostics) if diagnostics.len() == 1));
    refused(
        &add("web6", "fd00::1", None, None),
        r#"
this change would make the configuration invalid:
sluice.toml:22:11: error: `nat` cannot bring IPv4 packets to fd00::1, which is an IPv6 address
   22 | address = "fd00::1"
      |           ^^^^^^^^^
   help: give the IPv4 address of the server, or write `delivery = "ipip"` or `"gue"`, which carry both
1 error; nothing was changed"#,
    );
}

#[test]
fn prefixes_that_are_none() {
    refused(
        &list(true, "deny", &["192.0.2.7/24", "203.0.113.7", "::/0", "::ffff:192.0.2.1"]),
        "`192.0.2.7/24` has bits set behind its length; write `192.0.2.0/24` for the whole prefix, or `192.0.2.7` for \
         the one address\n\
         `::/0` in a deny list would drop every packet, your own session's too; name the sources that you mean; if you \
         mean all, say so with `force` (`--force` in a command)\n\
         `::ffff:192.0.2.1` is an IPv4 address in IPv6 clothes; write `192.0.2.1`; nothing was changed",
    );
    refused(&list(true, "block", &["192.0.2.7"]), "there is no list `block`; there are `allow` and `deny`");
}

#[test]
fn prefixes_that_are_not_listed() {
    refused(
        &list(false, "deny", &["192.0.2.7", "192.0.2.0/24", "198.51.100.0/24"]),
        "not in the deny list: 192.0.2.7 (the list has 192.0.2.0/25, which covers it), 198.51.100.0/24; \
         nothing was changed",
    );
    refused(&list(false, "allow", &["192.0.2.7"]), "not in the allow list: 192.0.2.7; nothing was changed");
}

#[test]
fn interfaces_that_cannot_be() {
    let detach = Edit::Detach { interface: "wlan0".into() };
    refused(&detach, "the configuration does not attach to `wlan0`; there is `eth0`");
    let attach = Edit::Attach { interface: "eth 1".into() };
    let error = valid(TEXT).0.edit(&attach).unwrap_err();
    assert!(error.to_string().contains("`eth 1` cannot be the name of an interface"), "{error}");
}
