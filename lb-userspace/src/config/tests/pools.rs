//! Pools: what they mean, and how commands change them.

use super::valid;
use crate::{
    api::types::Edit,
    config::Document,
    model::{AdminState, HealthCheck, Model, Ports},
};

const TEXT: &str = r#"# ours
[[service]]
name = "web"
address = "10.0.0.100"
port = [80, "8000-8100"]
delivery = "ipip"
pool = "servers" # shared

# Who answers.
[[pool]]
name = "servers"
health = { type = "tcp", port = 80 }

# the first
[[pool.backend]]
name = "a"
address = "10.0.1.1"

[[pool.backend]]
name = "b"
address = "10.0.1.2"
weight = 50 # old

[[service]]
name = "other"
address = "10.0.2.0/24"
port = "any"
protocol = "udp"
delivery = "l2"
pool = "servers"
health = { type = "tcp", port = 81 }
allow_from = ["192.0.2.7", "192.0.2.0/24", "192.0.2.7"]

[[service]]
name = "own"
address = "10.0.0.101"
port = 80
delivery = "l2"
backend = [{ address = "10.0.3.1" }]
"#;

fn edit(document: &Document, edit: Edit) -> (Document, Model, String) {
    let edited = document.edit(&edit).unwrap_or_else(|error| panic!("{error}"));
    (edited.document, edited.model, edited.done.expect("something was done"))
}

fn backends(model: &Model, service: usize) -> Vec<(&str, u32)> {
    model.services[service].backends.iter().map(|backend| (backend.name.as_str(), backend.weight)).collect()
}

#[test]
fn services_of_a_pool_have_its_backends_and_its_check() {
    let (_, model) = valid(TEXT);
    let [web, other, own] = model.services.as_slice() else { panic!("three services") };
    assert_eq!(backends(&model, 0), [("a", 100), ("b", 50)]);
    assert_eq!(web.backends, other.backends);
    let port = |health: &Option<HealthCheck>| health.as_ref().and_then(|check| check.port);
    assert_eq!((port(&web.health), port(&other.health), &own.health), (Some(80), Some(81), &None));
    assert_eq!((web.owner(), other.owner(), own.owner()), ("servers", "servers", "own"));
    assert_eq!((web.ports.to_string().as_str(), &other.ports), ("80,8000-8100", &Ports::ANY));
    assert_eq!((web.is_prefix(), other.is_prefix()), (false, true));
    let sources: Vec<String> = other.allow_from.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["192.0.2.7/32", "192.0.2.0/24"]);
}

#[test]
fn commands_take_the_pool_or_one_of_its_services() {
    let (document, _) = valid(TEXT);
    let drain = |service: &str| Edit::BackendState {
        service: service.into(),
        backend: "a".into(),
        state: AdminState::Drain,
        drain_until: None,
    };
    let (by_pool, model, said) = edit(&document, drain("servers"));
    let expected =
        "changed the state of backend `a` of pool `servers`, which services `web` and `other` use from up to drain";
    assert_eq!(said, expected);
    assert!(model.services[..2].iter().all(|service| service.backends[0].state == AdminState::Drain));
    let (by_service, _, said) = edit(&document, drain("other"));
    assert_eq!((by_service.text(), said.as_str()), (by_pool.text(), expected));
    assert_eq!(by_pool.text(), TEXT.replace("\"10.0.1.1\"\n", "\"10.0.1.1\"\nstate = \"drain\"\n"));
}

#[test]
fn a_pool_keeps_its_comments() {
    let (document, _) = valid(TEXT);
    let weight = Edit::BackendWeight { service: "web".into(), backend: "b".into(), weight: 70 };
    let (weighted, model, _) = edit(&document, weight);
    assert_eq!(backends(&model, 1), [("a", 100), ("b", 70)]);
    assert_eq!(weighted.text(), TEXT.replace("weight = 50 # old", "weight = 70 # old"));
    let remove = Edit::BackendRemove { service: "servers".into(), backend: "10.0.1.1".into() };
    let (removed, model, said) = edit(&document, remove);
    assert_eq!(said, "removed backend `a` from pool `servers`, which services `web` and `other` use");
    assert_eq!(backends(&model, 0), [("b", 50)]);
    assert_eq!(
        removed.text(),
        TEXT.replace("# the first\n[[pool.backend]]\nname = \"a\"\naddress = \"10.0.1.1\"\n\n", "")
    );
    let address = "10.0.1.3".parse().unwrap();
    let add = Edit::BackendAdd {
        service: "other".into(),
        name: Some("c".into()),
        address,
        port: None,
        weight: None,
        server_id: None,
    };
    let (added, model, said) = edit(&document, add);
    assert_eq!(said, "added backend `c` (10.0.1.3) to pool `servers`, which services `web` and `other` use");
    assert_eq!(backends(&model, 0), [("a", 100), ("b", 50), ("c", 100)]);
    let new = "weight = 50 # old\n\n[[pool.backend]]\nname = \"c\"\naddress = \"10.0.1.3\"\n";
    assert_eq!(added.text(), TEXT.replace("weight = 50 # old\n", new));
}

#[test]
fn a_pool_within_the_line_is_edited_too() {
    let text = "pool = [{ name = \"p\", backend = [{ address = \"10.0.1.1\" }] }]\n\
        service = [{ name = \"s\", address = \"10.0.0.1\", port = 80, delivery = \"l2\", pool = \"p\" }]\n";
    let (document, _) = valid(text);
    let weight = Edit::BackendWeight { service: "s".into(), backend: "10.0.1.1".into(), weight: 7 };
    let (weighted, _, said) = edit(&document, weight);
    assert_eq!(said, "changed the weight of backend `10.0.1.1` of pool `p`, which service `s` uses from 100 to 7");
    assert_eq!(weighted.text(), text.replace("\"10.0.1.1\" }", "\"10.0.1.1\", weight = 7 }"));
}

#[test]
fn what_a_pool_does_not_have_is_said_of_the_pool() {
    let (document, _) = valid(TEXT);
    let refused = |service: &str, backend: &str| {
        let edit = Edit::BackendRemove { service: service.into(), backend: backend.into() };
        document.edit(&edit).expect_err("the edit was made").to_string()
    };
    assert_eq!(refused("web", "zzzzzz"), "pool `servers` has no backend `zzzzzz`; there are `a` and `b`");
    assert_eq!(refused("server", "a"), "there is no service `server`; did you mean `servers`?");
    let known = "there are `web`, `other`, `own` and `servers`";
    assert_eq!(refused("zzzzzz", "a"), format!("there is no service `zzzzzz`; {known}"));
}
