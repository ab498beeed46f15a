//! `full-nat` with real connections: they survive every change and the daemon's death, and what happens when ports run out
//! can be seen.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context;
use lb_userspace::api::types::{BackendState, BackendStatus, Drops, Explanation, ServiceStatus, Status};
use tests::{
    lab::{Family, Site, Sluice, node_section, service_section, until},
    traffic::{self, Direction, MANY, Transfer, TransferOptions, TransferServer, by_server},
};

const PORT: u16 = 9000;
const PATIENCE: Duration = Duration::from_secs(30);

/// A node whose backends know nothing of it, and a client.
struct Running {
    sluice: Sluice,
    _servers: Vec<TransferServer>,
    site: Site,
}

impl Running {
    fn start(servers: usize, node_settings: &str) -> anyhow::Result<Self> {
        let site = Site::new(servers)?;
        site.node.set("ipv4/ip_forward", "1")?;
        // The usual ports of a node's own connections, whatever this machine has.
        site.node.set("ipv4/ip_local_port_range", "32768 60999")?;
        let started = site.servers.iter().map(|host| TransferServer::start(host, host.name(), PORT));
        let transfer_servers = started.collect::<Result<_, _>>()?;
        let settings = format!("address = \"{}\"\nport = {PORT}\ndelivery = \"full-nat\"\n", Family::V4.service());
        let node = node_section(&["eth0"]) + node_settings;
        let configuration = node + &service_section("bulk", &settings, &site.backends(Family::V4));
        let sluice = Sluice::start(&site.node, &configuration)?;
        sluice.await_ready()?;
        Ok(Self { sluice, _servers: transfer_servers, site })
    }

    fn transfer(&self, direction: Direction, size_bytes: u64) -> anyhow::Result<Transfer> {
        let options = TransferOptions { direction, size_bytes, rate_bytes_per_second: Some(100_000) };
        Transfer::start(&self.site.client, SocketAddr::new(Family::V4.service(), PORT), options)
    }

    /// Transfers of several seconds, all under way.
    fn transfers(&self, count: usize, size_bytes: u64) -> anyhow::Result<Vec<Transfer>> {
        traffic::transfers(&self.site.client, SocketAddr::new(Family::V4.service(), PORT), count, size_bytes)
    }

    fn backend(&self, name: &str) -> anyhow::Result<BackendStatus> {
        self.sluice.backends("bulk")?.into_iter().find(|backend| backend.name == name).context("no such backend")
    }

    fn sessions(&self) -> anyhow::Result<u64> {
        let services: Vec<ServiceStatus> = self.sluice.json(&["services"])?;
        services[0].sessions.context("a service of `full-nat` has sessions")
    }

    fn exhausted(&self) -> anyhow::Result<u64> {
        let drops: Drops = self.sluice.json(&["drops"])?;
        Ok(drops.reasons["ports_exhausted"].packets)
    }
}

#[test]
fn no_change_and_no_death_of_the_daemon_breaks_a_session() -> anyhow::Result<()> {
    let mut running = Running::start(3, "")?;
    let transfers = running.transfers(MANY, 800_000)?;
    assert!(running.sessions()? >= MANY as u64);
    let (on_first, others) = by_server(transfers, "web1")?;

    running.sluice.succeed(&["backend", "drain", "bulk", "web1"])?;
    assert_eq!(running.backend("web1")?.state, BackendState::Draining);
    until("the drain should say how many sessions are left", PATIENCE, || {
        let reason = running.backend("web1").ok()?.reason;
        reason.ends_with("left").then_some(())
    })?;
    running.sluice.succeed(&["backend", "weight", "bulk", "web2", "10"])?;
    running.sluice.kill9();
    let newer = running.transfers(4, 400_000)?;
    assert!(newer.iter().all(|transfer| transfer.backend() != Some("web1")), "a drained backend got a new session");
    running.sluice.restart()?;
    assert!(running.sessions()? >= MANY as u64 + 4, "the next daemon finds the sessions of the former one");
    running.sluice.succeed(&["backend", "undrain", "bulk", "web1"])?;
    for transfer in on_first.into_iter().chain(others).chain(newer) {
        transfer.finish(PATIENCE).context("a transfer broke")?;
    }
    Ok(())
}

#[test]
fn what_a_removed_backend_had_is_ended() -> anyhow::Result<()> {
    let running = Running::start(2, "")?;
    let (_gone, others) = by_server(running.transfers(MANY, 10_000_000)?, "web1")?;
    running.sluice.succeed(&["backend", "remove", "bulk", "web1"])?;
    let before: Vec<u64> = others.iter().map(Transfer::moved_bytes).collect();
    until("the other server's transfers should go on", PATIENCE, || {
        others.iter().zip(&before).all(|(transfer, before)| transfer.moved_bytes() > before + 100_000).then_some(())
    })?;
    let drops: Drops = running.sluice.json(&["drops"])?;
    assert!(drops.reasons["session_unknown"].packets > 0, "the removed server's transfers go nowhere");
    Ok(())
}

#[test]
fn a_port_that_is_not_free_can_be_seen_and_becomes_free() -> anyhow::Result<()> {
    let running = Running::start(1, "full_nat = { ports = \"20000-20003\" }\n")?;
    let transfers = running.transfers(4, 400_000)?;
    let late = running.transfer(Direction::Download, 10_000)?;
    until("a fifth connection should find no port", PATIENCE, || (running.exhausted().ok()? > 0).then_some(()))?;
    assert_eq!(late.moved_bytes(), 0);
    let status: Status = running.sluice.json(&["status"])?;
    let node = &status.node_addresses[0];
    assert_eq!((node.address, node.ports, node.tcp_sessions), (IpAddr::from([10, 9, 0, 2]), 4, 4));
    let shown = running.sluice.succeed(&["status"])?;
    assert!(shown.contains("4 (TCP) and 0 (UDP) of 4 on 10.9.0.2"), "{shown}");
    for transfer in transfers {
        transfer.finish(PATIENCE).context("a transfer that had its port broke")?;
    }
    // The client's TCP tries again at ever longer intervals, and a server that still has the port's former connection in
    // TIME-WAIT may cost it one more.
    late.finish(3 * PATIENCE).context("the fifth connection never got the port of one that had ended")
}

#[test]
fn ports_that_the_node_itself_uses_are_warned_of() -> anyhow::Result<()> {
    let running = Running::start(1, "full_nat = { ports = \"1024-40000\" }\n")?;
    let status: Status = running.sluice.json(&["status"])?;
    let warning = status.warnings.iter().find(|warning| warning.contains("ip_local_port_range"));
    let warning = warning.context("no warning of shared ports")?;
    assert!(warning.contains("sessions have 1024-40000, connections 32768-60999"), "{warning}");
    Ok(())
}

#[test]
fn an_explanation_knows_the_sessions() -> anyhow::Result<()> {
    let running = Running::start(3, "")?;
    let service = SocketAddr::new(Family::V4.service(), PORT);
    let connection = running.site.client.enter(|| TcpStream::connect(service))??;
    let client = connection.local_addr()?;
    let explain = |from: SocketAddr, to: SocketAddr| {
        let (from, to) = (from.to_string(), to.to_string());
        running.sluice.json::<Explanation>(&["explain", "--from", &from, "--to", &to, "--established"])
    };
    let carried = explain(client, service)?;
    let used = running.sluice.backends("bulk")?.into_iter().find(|backend| backend.traffic.packets > 0);
    let used = used.context("no backend has got the connection")?;
    assert!(carried.outcome.starts_with(&format!("forwarded to the backend {} ", used.name)), "{carried:?}");
    let session = carried.steps.iter().find(|step| step.stage == "session").context("no session")?;
    let ends = session.finding.strip_prefix("it has one, from ").and_then(|ends| ends.split_once(" to "));
    let (node, backend) = ends.context("the session's ends are not named")?;
    let (node, backend): (SocketAddr, SocketAddr) = (node.parse()?, backend.parse()?);
    assert_eq!((backend.ip(), backend.port()), (used.address, PORT));

    let answer = explain(backend, node)?;
    assert!(answer.outcome.starts_with("sent on to the client"), "{answer:?}");
    assert!(answer.steps.iter().any(|step| step.finding.ends_with(&client.to_string())), "{answer:?}");
    let other = SocketAddr::new(client.ip(), client.port() ^ 1);
    assert_eq!(explain(other, service)?.reason.as_deref(), Some("session_unknown"));
    Ok(())
}
