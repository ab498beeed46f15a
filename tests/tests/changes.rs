//! Connections whose server is alive survive every change of the backends.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use lb_userspace::api::types::{BackendState, BackendStatus};
use tests::{
    lab::{Agent, Family, Site, Sluice, node_section, service_section},
    traffic::{self, MANY, Transfer, TransferServer},
};

const PATIENCE: Duration = Duration::from_secs(30);
const PORT: u16 = 9000;

/// Three servers that serve transfers, behind one service.
struct Running {
    sluice: Sluice,
    _servers: Vec<TransferServer>,
    _agents: Vec<Agent>,
    site: Site,
}

fn service() -> SocketAddr {
    (Family::V4.service(), PORT).into()
}

impl Running {
    fn start(health: &str) -> anyhow::Result<Self> {
        let site = Site::new(3)?;
        let address = Family::V4.service();
        let agents =
            site.servers.iter().map(|host| Agent::start(host, "eth0", &[address])).collect::<Result<_, _>>()?;
        let servers =
            site.servers.iter().map(|host| TransferServer::start(host, host.name(), PORT)).collect::<Result<_, _>>()?;
        let settings =
            format!("address = \"{address}\"\nport = {PORT}\nprotocol = \"tcp\"\ndelivery = \"ipip\"\n{health}");
        let configuration =
            [node_section(&["eth0"]), service_section("bulk", &settings, &site.backends(Family::V4))].concat();
        let sluice = Sluice::start(&site.node, &configuration)?;
        for web in ["web1", "web2", "web3"] {
            sluice.await_state("bulk", web, BackendState::Up)?;
        }
        Ok(Self { sluice, _servers: servers, _agents: agents, site })
    }

    /// Transfers of six seconds, all under way.
    fn transfers(&self) -> anyhow::Result<Vec<Transfer>> {
        traffic::transfers(&self.site.client, service(), MANY, 600_000)
    }

    fn backend(&self, name: &str) -> anyhow::Result<BackendStatus> {
        let backends: Vec<BackendStatus> = self.sluice.json(&["backends", "bulk"])?;
        backends.into_iter().find(|backend| backend.name == name).context("no such backend")
    }
}

fn finish(transfers: Vec<Transfer>, after: &str) -> anyhow::Result<()> {
    for transfer in transfers {
        transfer.finish(PATIENCE).with_context(|| format!("a transfer broke after {after}"))?;
    }
    Ok(())
}

#[test]
fn draining_reweighting_and_returning_break_no_transfer() -> anyhow::Result<()> {
    let mut running = Running::start("")?;
    let transfers = running.transfers()?;
    running.sluice.succeed(&["backend", "drain", "bulk", "web1"])?;
    assert_eq!(running.backend("web1")?.share, 0.0);
    running.sluice.succeed(&["backend", "weight", "bulk", "web2", "10"])?;
    // New flows meet the new order while the old ones go on.
    let newer = running.transfers()?;
    let opened = running.backend("web1")?.traffic.flows;
    running.sluice.succeed(&["backend", "undrain", "bulk", "web1"])?;
    running.sluice.succeed(&["backend", "weight", "bulk", "web2", "100"])?;
    running.sluice.succeed(&["backend", "drain", "bulk", "web3"])?;
    // Whoever takes over knows the rows and the flows.
    running.sluice.kill9();
    running.sluice.restart()?;
    let newest = running.transfers()?;
    assert!(opened > 0, "web1 had no transfer at all");
    finish(transfers, "the first changes")?;
    finish(newer, "the later changes")?;
    finish(newest, "the take-over")
}

#[test]
fn a_server_that_joins_takes_only_new_flows() -> anyhow::Result<()> {
    let running = Running::start("")?;
    running.sluice.succeed(&["backend", "drain", "bulk", "web3"])?;
    running.sluice.succeed(&["backend", "remove", "bulk", "web3"])?;
    let transfers = running.transfers()?;
    let address = running.site.backends(Family::V4)[2].1.to_string();
    running.sluice.succeed(&["backend", "add", "bulk", &address, "--name", "web3"])?;
    running.sluice.await_state("bulk", "web3", BackendState::Up)?;
    let newer = running.transfers()?;
    assert!(running.backend("web3")?.traffic.flows > 0, "the new server got no transfer");
    finish(transfers, "a server joined")?;
    finish(newer, "a server joined")
}

/// The check looks at a port that nobody serves and that drops its packets: the server itself is alive.
#[test]
fn a_false_alarm_breaks_no_transfer() -> anyhow::Result<()> {
    let running =
        Running::start("health = { type = \"tcp\", interval = \"200ms\", timeout = \"100ms\", fall = 2, rise = 2 }")?;
    let transfers = running.transfers()?;
    // The node's checks come from its own address; the clients' packets arrive inside a tunnel.
    running.site.servers[0].ip("route add blackhole 10.9.0.2/32")?;
    running.sluice.await_state("bulk", "web1", BackendState::Down)?;
    assert_eq!(running.backend("web1")?.share, 0.0);
    let newer = running.transfers()?;
    running.site.servers[0].ip("route del blackhole 10.9.0.2/32")?;
    running.sluice.await_state("bulk", "web1", BackendState::Up)?;
    finish(transfers, "a false alarm")?;
    finish(newer, "a false alarm")
}
