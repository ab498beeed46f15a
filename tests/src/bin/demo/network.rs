//! The network of the demo.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use lb_userspace::api::types::{BackendState, Status};
use tests::lab::{Agent, Namespace, Nginx, NginxOptions, Sluice, Switch};

use crate::interrupt::pause;

/// What clients connect to.
pub(crate) const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 80)), 80);
/// The client's address.
pub(crate) const CLIENT: &str = "10.9.0.1";
/// The servers, as the configuration names them.
pub(crate) const WEBS: [(&str, &str); 3] = [("web1", "10.9.0.11"), ("web2", "10.9.0.12"), ("web3", "10.9.0.13")];

const NODE: &str = "10.9.0.2";
const CONFIGURATION: &str = include_str!("../../../../config/demo.toml");
/// The longest that a health check may take to change a state.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the network looks like.
pub(crate) const PICTURE: &str = "
   client 10.9.0.1 ──┐                       ┌── web1 10.9.0.11  nginx, sluice agent
                     ├── switch (veth) ──────┼── web2 10.9.0.12  nginx, sluice agent
   node   10.9.0.2 ──┘                       └── web3 10.9.0.13  nginx, sluice agent
   sluice run, XDP native, IP in IP

   The client asks for http://192.0.2.80/ by way of the node; the servers answer it directly.";

/// Everything that runs. Dropped in the order of the fields: first what uses the network.
pub(crate) struct Network {
    pub(crate) sluice: Sluice,
    pub(crate) webs: Vec<Web>,
    pub(crate) client: Namespace,
    pub(crate) node: Namespace,
    _switch: Switch,
}

/// A web server.
pub(crate) struct Web {
    _agent: Agent,
    pub(crate) nginx: Nginx,
    pub(crate) host: Namespace,
}

impl Network {
    /// Starts everything and waits until all servers take traffic.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let switch = Switch::new("switch")?;
        let client = switch.host("client", &[&format!("{CLIENT}/24")])?;
        client.ip(&format!("route add {} via {NODE}", SERVICE.ip()))?;
        let node = switch.host("node", &[&format!("{NODE}/24")])?;
        let webs = WEBS.iter().map(|(name, address)| Web::start(&switch, name, address)).collect::<Result<_, _>>()?;
        let sluice = Sluice::start(&node, CONFIGURATION)?;
        let network = Self { sluice, webs, client, node, _switch: switch };
        network.require_native()?;
        for (name, _) in WEBS {
            network.await_state(name, BackendState::Up)?;
        }
        Ok(network)
    }

    /// Waits until a server is in a state; returns how long that took.
    pub(crate) fn await_state(&self, web: &str, state: BackendState) -> anyhow::Result<Duration> {
        let start = Instant::now();
        loop {
            let found = self.sluice.backend_state("web", web)?;
            if found == state {
                return Ok(start.elapsed());
            }
            if start.elapsed() > PATIENCE {
                bail!("{web} is still {} after {PATIENCE:?}, and should be {}", found.name(), state.name());
            }
            pause(Duration::from_millis(20))?;
        }
    }

    fn require_native(&self) -> anyhow::Result<()> {
        let status: Status = self.sluice.json(&["status"])?;
        let modes: Vec<_> = status.interfaces.iter().map(|interface| interface.mode.as_str()).collect();
        ensure!(modes == ["native"], "XDP should be attached to one interface in native mode, and is: {modes:?}");
        Ok(())
    }
}

impl Web {
    fn start(switch: &Switch, name: &str, address: &str) -> anyhow::Result<Self> {
        let host = switch.host(name, &[&format!("{address}/24")])?;
        let nginx = Nginx::start(&host, name, NginxOptions::default())?;
        let agent = Agent::start(&host, "eth0", &[SERVICE.ip()]).with_context(|| format!("on {name}"))?;
        Ok(Self { _agent: agent, nginx, host })
    }
}
