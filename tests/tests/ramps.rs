//! Backends that come and go by the clock: slow starts, deadlines, and a node that starts afresh.

use std::time::Duration;

use anyhow::Context;
use lb_userspace::api::types::{BackendState, BackendStatus};
use tests::{
    lab::{Agent, Family, Site, Sluice, node_section, service_section, until},
    traffic::{self, MANY, Transfer, TransferServer, by_server},
};

const PATIENCE: Duration = Duration::from_secs(30);
const PORT: u16 = 9000;

/// Two servers that serve transfers, behind services that differ in their settings.
struct Running {
    sluice: Sluice,
    _servers: Vec<TransferServer>,
    _agents: Vec<Agent>,
    site: Site,
}

impl Running {
    /// Services by name, port and settings.
    fn start(services: &[(&str, u16, &str)]) -> anyhow::Result<Self> {
        let site = Site::new(2)?;
        let address = Family::V4.service();
        let agents =
            site.servers.iter().map(|host| Agent::start(host, "eth0", &[address])).collect::<Result<_, _>>()?;
        let mut servers = Vec::new();
        let mut configuration = node_section(&["eth0"]);
        for (name, port, settings) in services {
            for host in &site.servers {
                servers.push(TransferServer::start(host, host.name(), *port)?);
            }
            let settings = format!("address = \"{address}\"\nport = {port}\ndelivery = \"ipip\"\n{settings}");
            configuration += &service_section(name, &settings, &site.backends(Family::V4));
        }
        let sluice = Sluice::start(&site.node, &configuration)?;
        sluice.await_ready()?;
        Ok(Self { sluice, _servers: servers, _agents: agents, site })
    }

    /// Transfers that last for about six seconds, all under way.
    fn transfers(&self, port: u16) -> anyhow::Result<Vec<Transfer>> {
        traffic::transfers(&self.site.client, (Family::V4.service(), port).into(), MANY, 600_000)
    }

    fn backend(&self, service: &str, name: &str) -> anyhow::Result<BackendStatus> {
        self.sluice.backends(service)?.into_iter().find(|backend| backend.name == name).context("no such backend")
    }
}

fn finish(transfers: Vec<Transfer>) -> anyhow::Result<()> {
    transfers.into_iter().try_for_each(|transfer| transfer.finish(PATIENCE))
}

#[test]
fn a_deadline_ends_a_drain_whatever_is_left() -> anyhow::Result<()> {
    let running = Running::start(&[("bulk", PORT, "")])?;
    let (its, others) = by_server(running.transfers(PORT)?, "web1")?;
    let count = its.len();
    let waited = running.sluice.cli(&["backend", "drain", "bulk", "web1", "--deadline", "3s", "--wait"])?;
    assert_eq!(waited.code, 1, "{waited:?}");
    assert!(waited.stderr.contains("was not drained by its deadline, and is disabled"), "{}", waited.stderr);
    assert!(
        waited.stdout.contains(&format!("backend web1 of service bulk: {count} flows left, ")),
        "{}",
        waited.stdout
    );
    let backend = running.backend("bulk", "web1")?;
    assert_eq!(backend.state, BackendState::Disabled);
    assert!(backend.reason.starts_with("its drain was over at "), "{}", backend.reason);
    // They went on until then, and no longer; the others do not notice.
    for transfer in its {
        assert!(transfer.moved_bytes() > 100_000 && transfer.finish(PATIENCE).is_err());
    }
    finish(others)?;
    running.sluice.succeed(&["backend", "enable", "bulk", "web1"])?;
    running.sluice.await_state("bulk", "web1", BackendState::Up)
}

/// Nothing of an untracked service has to be waited for.
#[test]
fn a_drain_is_waited_for() -> anyhow::Result<()> {
    let running = Running::start(&[("brief", PORT, "track = \"never\"")])?;
    let said = running.sluice.succeed(&["backend", "drain", "brief", "web1", "--deadline", "10m", "--wait"])?;
    let last = said.lines().last().context("nothing was said")?;
    assert!(last.starts_with("backend web1 of service brief: nothing is left, 9m"), "{last}");
    let drain = running.backend("brief", "web1")?.drain.context("it drains")?;
    assert!(drain.drained && drain.flows == 0 && drain.seconds_left.is_some_and(|left| left > 500), "{drain:?}");
    Ok(())
}

#[test]
fn a_server_that_is_added_starts_slowly() -> anyhow::Result<()> {
    let running = Running::start(&[("bulk", PORT, "slow_start = \"8s\"")])?;
    let first = running.backend("bulk", "web2")?;
    assert_eq!((first.effective_weight, first.reason.as_str()), (100, "not checked"), "found by the daemon");
    let address = running.site.backends(Family::V4)[1].1.to_string();
    running.sluice.succeed(&["backend", "remove", "bulk", "web2"])?;
    running.sluice.succeed(&["backend", "add", "bulk", &address, "--name", "web2"])?;
    let mut seen = Vec::new();
    until("the new server should have its share", PATIENCE, || {
        let backend = running.backend("bulk", "web2").ok()?;
        let is_whole = backend.effective_weight == 100;
        seen.push((backend.effective_weight, backend.share));
        is_whole.then_some(())
    })?;
    let (weight, share) = seen[0];
    assert!(weight < 60 && share < 0.4, "at first: {weight} and {share}");
    assert!(seen.is_sorted_by(|(before, before_share), (after, after_share)| {
        before <= after && before_share <= &(after_share + 0.01)
    }));
    assert!(seen.iter().map(|(weight, _)| weight).collect::<std::collections::BTreeSet<_>>().len() > 3, "{seen:?}");
    let (_, share) = seen[seen.len() - 1];
    assert!((0.45..0.55).contains(&share), "in the end: {share}");
    Ok(())
}

/// After a reboot there are no maps; here they are removed. The drain of before is known from the state directory.
#[test]
fn a_node_that_starts_afresh_keeps_the_connections_of_a_drain() -> anyhow::Result<()> {
    let mut running = Running::start(&[("bulk", PORT, "")])?;
    let transfers = running.transfers(PORT)?;
    running.sluice.succeed(&["backend", "drain", "bulk", "web1"])?;
    running.sluice.stop()?;
    running.sluice.detach()?;
    running.sluice.restart()?;
    assert_eq!(running.backend("bulk", "web1")?.share, 0.0);
    let newer = running.transfers(PORT)?;
    let (its, others) = by_server(transfers, "web1")?;
    finish(its)?;
    finish(others)?;
    assert!(newer.iter().all(|transfer| transfer.backend() == Some("web2")), "new ones go where the drain sends them");
    finish(newer)
}

#[test]
fn a_client_is_on_one_server_for_every_service_of_a_seed() -> anyhow::Result<()> {
    let settings = "affinity = \"client\"\nring = { seed = \"shop\" }";
    let running = Running::start(&[("shop", PORT, settings), ("login", PORT + 1, settings)])?;
    let both = [running.transfers(PORT)?, running.transfers(PORT + 1)?].map(|transfers| {
        transfers.iter().map(|transfer| transfer.await_backend(PATIENCE).map(ToOwned::to_owned)).collect()
    });
    let [shop, login]: [anyhow::Result<Vec<String>>; 2] = both;
    let (shop, login) = (shop?, login?);
    assert!(shop.iter().chain(&login).all(|server| *server == shop[0]), "{shop:?} {login:?}");
    Ok(())
}
