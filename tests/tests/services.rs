//! Services of many ports and addresses, with real servers: a pool behind several of them, a range, a prefix, and sources
//! that are allowed or not.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::Context;
use lb_userspace::api::types::{BackendState, Drops, ServiceStatus};
use tests::{
    lab::{Agent, Family, Nginx, NginxOptions, Site, Sluice, node_section, until},
    traffic::{Load, LoadOptions, Report},
};

const PATIENCE: Duration = Duration::from_secs(20);

const POOL: &str = r#"
[[pool]]
name = "web-servers"
health = { type = "http", path = "/health", port = 80, interval = "300ms", timeout = "300ms", rise = 2, fall = 2 }
"#;

/// Name, address and port of each service of the pool, as TOML.
const SERVICES: [(&str, &str, &str); 4] = [
    ("web", "192.0.2.80", "80"),
    ("more", "192.0.2.80", r#"[443, "8000-8100"]"#),
    ("net", "198.51.100.0/24", "80"),
    ("office", "192.0.2.80", "9000"),
];

/// Where requests must be answered: single ports, both ends of a range, and three addresses of the prefix.
const OPEN: [&str; 7] = [
    "192.0.2.80:80",
    "192.0.2.80:443",
    "192.0.2.80:8000",
    "192.0.2.80:8100",
    "198.51.100.0:80",
    "198.51.100.77:80",
    "198.51.100.255:80",
];
const OFFICE: &str = "192.0.2.80:9000";

struct Running {
    sluice: Sluice,
    nginx: Vec<Nginx>,
    _agents: Vec<Agent>,
    site: Site,
}

/// The configuration; `office` is open to these sources.
fn configuration(site: &Site, office: &str) -> String {
    let mut text = node_section(&["eth0"]) + POOL;
    for (name, address) in site.backends(Family::V4) {
        text += &format!("[[pool.backend]]\nname = \"{name}\"\naddress = \"{address}\"\n");
    }
    for (name, address, port) in SERVICES {
        text += &format!("\n[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nport = {port}\n");
        text += "delivery = \"ipip\"\npool = \"web-servers\"\n";
        if name == "office" {
            text += &format!("allow_from = {office}\n");
        }
    }
    text
}

impl Running {
    fn start(office: &str) -> anyhow::Result<Self> {
        let site = Site::new(3)?;
        site.client.ip(&format!("route add 198.51.100.0/24 via {}", Family::V4.host(9, 2)))?;
        let agent = |host| Agent::start(host, "eth0", &["192.0.2.80", "198.51.100.0/24"]);
        let agents = site.servers.iter().map(agent).collect::<Result<_, _>>()?;
        let ports = vec![80, 443, 8000, 8100, 9000];
        let start =
            |host| Nginx::start(host, host.name(), NginxOptions { ports: ports.clone(), ..NginxOptions::default() });
        let nginx = site.servers.iter().map(start).collect::<Result<_, _>>()?;
        let sluice = Sluice::start(&site.node, &configuration(&site, office))?;
        sluice.await_ready()?;
        Ok(Self { sluice, nginx, _agents: agents, site })
    }

    fn load(&self, target: &str) -> anyhow::Result<Load> {
        let target: SocketAddr = target.parse()?;
        Load::start(&self.site.client, target, LoadOptions::default())
    }

    /// Some requests on connections of their own.
    fn ask(&self, target: &str) -> anyhow::Result<Report> {
        let load = self.load(target)?;
        let mut report = Report::default();
        until(&format!("sixty requests to {target} should end"), PATIENCE, || {
            report.add(&load.take());
            (report.requests() >= 60).then_some(())
        })?;
        Ok(report)
    }

    fn assert_answered_by(&self, target: &str, backends: &[&str]) -> anyhow::Result<()> {
        let report = self.ask(target)?;
        assert_eq!(report.failed(), 0, "{target}: {}", report.reasons());
        assert_eq!(report.answers.keys().map(String::as_str).collect::<Vec<_>>(), backends, "{target}");
        Ok(())
    }

    fn refused_sources(&self) -> anyhow::Result<u64> {
        Ok(self.sluice.json::<Drops>(&["drops"])?.reasons["source_not_allowed"].packets)
    }

    fn apply(&self, office: &str) -> anyhow::Result<()> {
        fs::write(self.sluice.configuration(), configuration(&self.site, office))?;
        self.sluice.succeed(&["apply"]).map(drop)
    }
}

#[test]
fn every_port_and_address_of_a_pool_is_answered_by_all_of_it() -> anyhow::Result<()> {
    let running = Running::start(r#"["10.99.0.0/16"]"#)?;
    for target in OPEN {
        running.assert_answered_by(target, &["web1", "web2", "web3"])?;
    }
    // A port beside the range, and an address behind the prefix, are nobody's here.
    for target in ["192.0.2.80:8101", "198.51.101.0:80"] {
        running.site.client.ip("route replace 198.51.101.0/24 via 10.9.0.2")?;
        let options = LoadOptions { timeout: Duration::from_millis(200), ..LoadOptions::default() };
        let load = Load::start(&running.site.client, target.parse()?, options)?;
        let failed =
            until("requests should fail", PATIENCE, || Some(load.take()).filter(|report| report.failed() > 3))?;
        assert_eq!(failed.answered(), 0, "{target}");
    }
    Ok(())
}

/// Ranges, prefixes and sources are found in the tables by the next daemon: what goes on there is not touched.
#[test]
fn a_daemon_takes_over_ranges_prefixes_and_sources() -> anyhow::Result<()> {
    let mut running = Running::start(r#"["10.9.0.0/24"]"#)?;
    let more = |running: &Running| -> anyhow::Result<ServiceStatus> {
        let services: Vec<ServiceStatus> = running.sluice.json(&["services"])?;
        services.into_iter().find(|service| service.name == "more").context("no service `more`")
    };
    running.assert_answered_by("192.0.2.80:8100", &["web1", "web2", "web3"])?;
    let before = more(&running)?;
    let loads = ["192.0.2.80:8000", "198.51.100.7:80", OFFICE].map(|target| running.load(target));
    running.sluice.restart()?;
    running.sluice.await_ready()?;
    assert!(more(&running)?.traffic.packets > before.traffic.packets, "the counters began anew");
    for load in loads {
        let report = load?.stop()?;
        assert!(report.answered() > 0);
        assert_eq!(report.failed(), 0, "{}", report.reasons());
    }
    running.apply(r#"["10.99.0.0/16"]"#)?;
    let shown = running.sluice.succeed(&["services", "more"])?;
    assert!(shown.contains("192.0.2.80:443,8000-8100"), "{shown}");
    let options = LoadOptions { timeout: Duration::from_millis(200), ..LoadOptions::default() };
    let load = Load::start(&running.site.client, OFFICE.parse()?, options)?;
    let failed = until("requests should fail", PATIENCE, || Some(load.take()).filter(|report| report.failed() > 3))?;
    assert_eq!(failed.answered(), 0, "a source of the former daemon's is still allowed");
    Ok(())
}

#[test]
fn a_source_that_is_not_allowed_is_dropped_and_one_that_stays_allowed_never() -> anyhow::Result<()> {
    let running = Running::start(r#"["10.99.0.0/16"]"#)?;
    let options = LoadOptions { timeout: Duration::from_millis(200), ..LoadOptions::default() };
    let load = Load::start(&running.site.client, OFFICE.parse()?, options)?;
    let failed = until("requests should fail", PATIENCE, || Some(load.take()).filter(|report| report.failed() > 3))?;
    assert_eq!(failed.answered(), 0);
    drop(load);
    assert!(running.refused_sources()? > 0);
    let shown = running.sluice.succeed(&["services", "office"])?;
    assert!(shown.contains("10.99.0.0/16") && shown.contains("web-servers"), "{shown}");

    running.apply(r#"["10.99.0.0/16", "10.9.0.0/24"]"#)?;
    running.assert_answered_by(OFFICE, &["web1", "web2", "web3"])?;
    let refused = running.refused_sources()?;
    let load = running.load(OFFICE)?;
    for round in 0..20 {
        running.apply(&format!(r#"["10.9.0.0/24", "10.{}.0.0/16"]"#, 100 + round))?;
        running.apply(r#"["10.9.0.1", "10.9.0.0/24", "10.98.0.0/16"]"#)?;
        running.apply(r#"["10.9.0.1"]"#)?;
    }
    let report = load.stop()?;
    assert!(report.requests() > 50, "{} requests", report.requests());
    assert_eq!(report.failed(), 0, "{}", report.reasons());
    assert_eq!(running.refused_sources()?, refused);
    Ok(())
}

#[test]
fn a_server_of_a_pool_is_checked_once_and_commands_concern_all_its_services() -> anyhow::Result<()> {
    let mut running = Running::start(r#"["10.9.0.0/24"]"#)?;
    running.nginx[1].kill();
    for (service, _, _) in SERVICES {
        running.sluice.await_state(service, "web2", BackendState::Down)?;
    }
    let log = running.sluice.process().output();
    assert_eq!(log.matches("backend is down").count(), 1, "{log}");
    running.assert_answered_by("192.0.2.80:443", &["web1", "web3"])?;
    running.assert_answered_by("198.51.100.7:80", &["web1", "web3"])?;
    running.nginx[1].restart()?;
    for (service, _, _) in SERVICES {
        running.sluice.await_state(service, "web2", BackendState::Up)?;
    }

    let said = running.sluice.succeed(&["backend", "drain", "more", "web1"])?;
    let concerned = "backend `web1` of pool `web-servers`, which services `web`, `more`, `net` and `office` use";
    assert!(said.contains(concerned), "{said}");
    for (service, _, _) in SERVICES {
        running.sluice.await_state(service, "web1", BackendState::Draining)?;
    }
    running.assert_answered_by("192.0.2.80:80", &["web2", "web3"])?;
    running.sluice.succeed(&["backend", "undrain", "web-servers", "web1"])?;
    running.assert_answered_by("192.0.2.80:80", &["web1", "web2", "web3"])
}
