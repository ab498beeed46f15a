//! What good configurations mean, the examples first of all.

use std::{fs, path::PathBuf, time::Duration};

use super::valid;
use crate::model::*;

/// The example configurations: path and text.
pub(super) fn all() -> Vec<(PathBuf, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    all
}

fn named(name: &str) -> Model {
    let (_, text) = all().into_iter().find(|(path, _)| path.ends_with(name)).unwrap();
    valid(&text).1
}

#[test]
fn every_example_is_valid() {
    assert!(all().len() >= 5);
    for (path, _) in all() {
        crate::config::read(&path).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn what_the_first_example_writes_as_defaults_are_the_defaults() {
    let service = &named("web-ipip.toml").services[0];
    let text = "[[service]]\nname = 'web'\naddress = '10.0.0.100'\nport = 80\ndelivery = 'ipip'\n\
        health = { type = 'http', host = 'www.example.org', port = 80 }\nbackend = [{ address = '10.0.1.1' }]";
    let sparse = &valid(text).1.services[0];
    assert_eq!(service.ring, sparse.ring);
    assert_eq!(service.ring, RingSettings::default());
    assert_eq!(service.health, sparse.health);
    assert_eq!(service.protocol, sparse.protocol);
    let backend = Backend { name: "10.0.1.1".into(), ..service.backends[0].clone() };
    assert_eq!(backend, sparse.backends[0]);
}

#[test]
fn all_that_is_written_is_read() {
    let model = named("web-nat.toml");
    assert_eq!(model.node.interfaces, ["eth0", "eth1"]);
    assert_eq!(
        model.services[0],
        Service {
            name: "web".into(),
            address: "192.0.2.10/32".parse().unwrap(),
            ports: 80.into(),
            protocol: Protocol::Tcp,
            delivery: Delivery::Nat,
            gue_port: Service::DEFAULT_GUE_PORT,
            ring: RingSettings { bits: 12, algorithm: RingAlgorithm::Quota, tolerance_permille: 5, seed: None },
            affinity: Affinity::Flow,
            track: Track::Changes,
            slow_start: Duration::ZERO,
            quic: None,
            allow_from: Vec::new(),
            syn_protection: SynProtection::Auto,
            pool: None,
            sanity: Exceptions::new(),
            health: Some(HealthCheck {
                probe: Probe::Http { path: "/health".into(), host: None, status: vec![(200, 299), (301, 301)] },
                port: None,
                interval: Duration::from_secs(2),
                jitter_percent: 10,
                timeout: Duration::from_secs(1),
                rise: 2,
                fall: 3,
            }),
            backends: ["web1", "web2"]
                .map(|name| Backend {
                    name: name.into(),
                    address: name.replace("web", "10.0.1.").parse().unwrap(),
                    port: Some(8080),
                    weight: 100,
                    state: AdminState::Up,
                    drain_until: None,
                    server_id: None,
                })
                .into(),
        }
    );
    assert_eq!(model.services[2].protocol, Protocol::Udp);
}

#[test]
fn a_gue_service_has_the_usual_port_or_its_own() {
    let services = named("web-gue.toml").services;
    assert!(services.iter().all(|service| service.delivery == Delivery::Gue));
    assert_eq!(services.iter().map(|service| service.gue_port).collect::<Vec<_>>(), [6080, 6081]);
}

#[test]
fn an_empty_document_is_a_node_that_does_nothing() {
    let (document, model) = valid("");
    assert_eq!(document.text(), "");
    assert!(model.services.is_empty() && model.node.interfaces.is_empty());
}

#[test]
fn the_secret_is_read_in_the_order_of_its_digits() {
    let (_, model) = valid("[node]\nsecret = '000102030405060708090a0b0c0d0E0F'");
    assert_eq!(model.node.secret, Some([0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f]));
}

#[test]
fn a_timeout_that_is_not_written_does_not_exceed_the_interval() {
    let text = "[[service]]\nname = 'a'\naddress = '10.0.0.1'\nport = 'any'\ndelivery = 'l2'\n\
        health = { type = 'tcp', port = 22, interval = '250ms', rise = 1 }";
    let health = valid(text).1.services[0].health.clone().unwrap();
    assert_eq!(health.timeout, Duration::from_millis(250));
    assert_eq!((health.port, health.rise), (Some(22), 1));
}

#[test]
fn a_service_with_any_port_may_surround_one_with_a_port() {
    let service =
        |name, port| format!("[[service]]\nname = '{name}'\naddress = '10.0.0.1'\nport = {port}\ndelivery = 'l2'\n");
    let (_, model) = valid(&(service("a", "'any'") + &service("b", "80")));
    assert_eq!((&model.services[0].ports, &model.services[1].ports), (&Ports::ANY, &80.into()));
}

#[test]
fn a_prefix_that_is_listed_twice_counts_once() {
    let (_, model) = valid("firewall.deny = ['192.0.2.1', '192.0.2.1/32', '192.0.2.0/24']");
    assert_eq!(model.firewall.deny, ["192.0.2.1/32".parse().unwrap(), "192.0.2.0/24".parse().unwrap()]);
}

#[test]
fn everybody_may_be_allowed() {
    let (_, model) = valid("firewall.allow = ['0.0.0.0/0', '::/0']");
    assert_eq!(model.firewall.allow, ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
}
