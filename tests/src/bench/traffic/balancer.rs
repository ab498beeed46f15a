//! The balancers that are compared, each on a site of its own.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::mode::{Backends, MODES, Mode};
use crate::{
    lab::{Agent, Family, Namespace, Nginx, NginxOptions, Process, Site, Sluice, node_section, service_section},
    traffic::TransferServer,
};

/// The services' ports, which are the servers' too.
pub(super) const WEB_PORT: u16 = 80;
pub(super) const BULK_PORT: u16 = 9000;
const SERVERS: usize = 3;
const FAMILY: Family = Family::V4;

/// Something that brings a client's packets to servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Balancer {
    /// The client talks to a server.
    Nobody,
    /// Sluice.
    Sluice(Mode),
    /// The kernel's address translation, by nftables.
    Nftables,
    /// nginx, for TCP.
    Nginx,
    /// HAProxy in TCP mode.
    Haproxy,
}

impl Balancer {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let ours = MODES.map(Self::Sluice);
        [Self::Nobody].into_iter().chain(ours).chain([Self::Nftables, Self::Nginx, Self::Haproxy])
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Nobody => "no balancer".to_owned(),
            Self::Sluice(mode) => format!("sluice {}", mode.name),
            Self::Nftables => "nftables dnat".to_owned(),
            Self::Nginx => "nginx stream".to_owned(),
            Self::Haproxy => "haproxy tcp".to_owned(),
        }
    }

    /// Whether replies pass the node without a socket there.
    fn translates(self) -> bool {
        match self {
            Self::Sluice(mode) => mode.backends == Backends::ReplyToTheNode,
            Self::Nftables => true,
            Self::Nobody | Self::Nginx | Self::Haproxy => false,
        }
    }
}

/// A site with servers and a balancer in use. The order of the fields is that in which they end.
pub(super) struct Stage {
    pub(super) balancer: Balancer,
    _agents: Vec<Agent>,
    _sluice: Option<Sluice>,
    _proxy: Option<Process>,
    _folder: TempDir,
    _servers: Vec<(Nginx, TransferServer)>,
    site: Site,
}

impl Stage {
    /// Starts everything.
    pub(super) fn new(balancer: Balancer) -> Result<Self> {
        let site = Site::new(SERVERS)?;
        let folder = tempfile::Builder::new().prefix("sluice-bench-").tempdir().context("cannot make a folder")?;
        let server = |host: &Namespace| -> Result<_> {
            let options = NginxOptions { ports: vec![WEB_PORT], ..NginxOptions::default() };
            Ok((Nginx::start(host, host.name(), options)?, TransferServer::start(host, host.name(), BULK_PORT)?))
        };
        let servers = site.servers.iter().map(server).collect::<Result<_>>()?;
        if balancer.translates() {
            route_replies(&site)?;
        }
        let (mut agents, mut sluice, mut proxy) = (Vec::new(), None, None);
        match balancer {
            Balancer::Nobody => {}
            Balancer::Sluice(mode) => {
                agents = prepare(&site, mode)?;
                sluice = Some(start_sluice(&site, mode)?);
            }
            Balancer::Nftables => translate(&site, folder.path())?,
            Balancer::Nginx | Balancer::Haproxy => proxy = Some(start_proxy(&site, balancer, folder.path())?),
        }
        Ok(Self { balancer, _agents: agents, _sluice: sluice, _proxy: proxy, _folder: folder, _servers: servers, site })
    }

    /// The host that asks.
    pub(super) const fn client(&self) -> &Namespace {
        &self.site.client
    }

    /// What it asks.
    pub(super) fn target(&self, port: u16) -> SocketAddr {
        let address = if self.balancer == Balancer::Nobody { FAMILY.server(0) } else { FAMILY.service() };
        (address, port).into()
    }
}

/// Servers reply to the client by way of the node, although it is their neighbour.
fn route_replies(site: &Site) -> Result<()> {
    let [client, node] = [&site.client, &site.node].map(|host| host.ip("-4 -oneline address show dev eth0"));
    let (client, node) = (address_in(&client?)?, address_in(&node?)?);
    site.node.set("ipv4/ip_forward", "1")?;
    for host in site.servers.iter().chain([&site.node]) {
        // Nobody is to be told that there is a shorter way.
        for which in ["all", "eth0"] {
            host.set(&format!("ipv4/conf/{which}/send_redirects"), "0")?;
        }
    }
    for server in &site.servers {
        server.ip(&format!("route add {client} via {node}"))?;
    }
    Ok(())
}

/// The address in a line of `ip address`.
fn address_in(line: &str) -> Result<String> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "inet").skip(1);
    let address = words.next().and_then(|word| word.split('/').next());
    Ok(address.with_context(|| format!("no address in `{line}`"))?.to_owned())
}

/// Makes backends of the servers.
fn prepare(site: &Site, mode: Mode) -> Result<Vec<Agent>> {
    let mut agents = Vec::new();
    for server in &site.servers {
        match mode.backends {
            Backends::OwnTheAddress => server.own(FAMILY.service())?,
            Backends::RunTheAgent => agents.push(Agent::start(server, "eth0", &[FAMILY.service()])?),
            Backends::ReplyToTheNode => {}
        }
    }
    Ok(agents)
}

fn start_sluice(site: &Site, mode: Mode) -> Result<Sluice> {
    let service = |name, port| {
        let settings = mode.settings((FAMILY.service(), port).into());
        service_section(name, &settings, &site.backends(FAMILY))
    };
    let configuration = node_section(&["eth0"]) + &service("web", WEB_PORT) + &service("bulk", BULK_PORT);
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;
    Ok(sluice)
}

/// The kernel translates the address, and chooses by a hash of the flow as Sluice does.
fn translate(site: &Site, folder: &Path) -> Result<()> {
    let servers: Vec<String> = (0..SERVERS).map(|index| format!("{index} : {}", FAMILY.server(index))).collect();
    let rules = format!(
        "table ip bench {{\n  chain front {{\n    type nat hook prerouting priority dstnat;\n    ip daddr {} tcp dport \
         {{ {WEB_PORT}, {BULK_PORT} }} dnat to jhash ip saddr . tcp sport mod {SERVERS} map {{ {} }}\n  }}\n}}\n",
        FAMILY.service(),
        servers.join(", ")
    );
    let file = folder.join("rules.nft");
    fs::write(&file, rules).context("cannot write the rules")?;
    site.node.run("nft", &["-f", &file.to_string_lossy()]).map(drop)
}

/// Both proxies have one thread: on a machine of two processors, client and servers need the other.
fn start_proxy(site: &Site, balancer: Balancer, folder: &Path) -> Result<Process> {
    site.node.ip(&format!("address add {} dev lo", FAMILY.service()))?;
    let file = folder.join("proxy.conf");
    let mut command = match balancer {
        Balancer::Nginx => {
            fs::write(&file, nginx_configuration(folder))?;
            let mut command = site.node.command("nginx");
            command.arg("-p").arg(folder).arg("-c");
            command
        }
        _ => {
            fs::write(&file, haproxy_configuration())?;
            let mut command = site.node.command("haproxy");
            command.args(["-db", "-f"]);
            command
        }
    };
    let mut process = Process::start(&balancer.name(), command.arg(&file), &folder.join("log"))?;
    process.until("the proxy should listen", Duration::from_secs(10), || {
        let listens = |port: u16| std::net::TcpStream::connect((FAMILY.service(), port)).is_ok();
        site.node.enter(|| [WEB_PORT, BULK_PORT].into_iter().all(listens)).ok().filter(|all| *all).map(drop)
    })?;
    Ok(process)
}

fn nginx_configuration(folder: &Path) -> String {
    let folder = folder.display();
    let service = |port: u16| {
        let servers: String = (0..SERVERS).map(|index| format!(" server {}:{port};", FAMILY.server(index))).collect();
        let address = FAMILY.service();
        format!(
            "  upstream port{port} {{{servers} }}\n  \
             server {{ listen {address}:{port} backlog=4096; proxy_pass port{port}; }}\n"
        )
    };
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nmaster_process off;\n\
         pid {folder}/pid;\nerror_log stderr warn;\nworker_rlimit_nofile 65536;\n\
         events {{ worker_connections 16384; }}\nstream {{\n{}{}}}\n",
        service(WEB_PORT),
        service(BULK_PORT)
    )
}

fn haproxy_configuration() -> String {
    let service = |port: u16| {
        let servers: String =
            (0..SERVERS).map(|index| format!("  server s{index} {}:{port}\n", FAMILY.server(index))).collect();
        format!("listen port{port}\n  bind {}:{port} backlog 4096\n{servers}", FAMILY.service())
    };
    format!(
        "global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  \
         timeout server 60s\n{}{}",
        service(WEB_PORT),
        service(BULK_PORT)
    )
}
