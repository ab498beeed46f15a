//! The networks: client, attacker and servers, and what stands between them.

use std::{fs, net::SocketAddr};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{
    lab::{Family, Namespace, Nginx, NginxOptions, Site, Sluice, node_section, service_section},
    traffic::Flood,
};

const PORT: u16 = 80;
const FAMILY: Family = Family::V4;
/// The number of the host that floods.
const ATTACKER: u8 = 66;
/// A server that a flood hurts. It keeps so many half-open connections, each for seven seconds, unless it is answered. The last
/// quarter of them would be for hosts that it remembers, as it does not remember a real one that comes for the first time.
const SERVER: [(&str, &str); 5] = [
    ("core/somaxconn", "128"),
    ("ipv4/tcp_max_syn_backlog", "128"),
    ("ipv4/tcp_syncookies", "0"),
    ("ipv4/tcp_synack_retries", "2"),
    ("ipv4/tcp_no_metrics_save", "1"),
];

/// What stands between clients and servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shield {
    /// Sluice, whose protection begins by itself.
    Auto,
    /// Sluice, always protected.
    Always,
    /// Sluice without protection.
    Off,
    /// The kernel as a router, whose SYN proxy answers for the server.
    Synproxy,
    /// The kernel as a router.
    Router,
}

impl Shield {
    pub(super) const ALL: [Self; 5] = [Self::Auto, Self::Always, Self::Off, Self::Synproxy, Self::Router];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "sluice, auto",
            Self::Always => "sluice, always",
            Self::Off => "sluice, off",
            Self::Synproxy => "nftables synproxy",
            Self::Router => "kernel router",
        }
    }

    const fn protection(self) -> Option<&'static str> {
        match self {
            Self::Auto => Some("auto"),
            Self::Always => Some("always"),
            Self::Off => Some("off"),
            Self::Synproxy | Self::Router => None,
        }
    }
}

/// A site in use. The order of the fields is that in which they end.
pub(super) struct Stage {
    pub(super) shield: Shield,
    _sluice: Option<Sluice>,
    _server: Nginx,
    _folder: TempDir,
    attacker: Namespace,
    site: Site,
}

impl Stage {
    pub(super) fn new(shield: Shield) -> Result<Self> {
        let site = Site::new(1)?;
        let attackers = format!("{}/{}", FAMILY.host(9, ATTACKER), FAMILY.prefix_lengths().0);
        let attacker = site.switch.host("attacker", &[&attackers])?;
        let server = &site.servers[0];
        for (setting, value) in SERVER {
            server.set(setting, value)?;
        }
        server.own(FAMILY.service())?;
        let folder = tempfile::Builder::new().prefix("sluice-flood-").tempdir().context("cannot make a folder")?;
        let sluice = match shield.protection() {
            Some(protection) => {
                server.ip(&format!("route add {} via {}", Flood::SOURCES[0], FAMILY.host(9, ATTACKER)))?;
                Some(start_sluice(&site, protection)?)
            }
            None => {
                route(&site)?;
                if shield == Shield::Synproxy {
                    proxy(&site.node, &folder)?;
                }
                None
            }
        };
        let options = NginxOptions { ports: vec![PORT], ..NginxOptions::default() };
        let server = Nginx::start(server, server.name(), options)?;
        Ok(Self { shield, _sluice: sluice, _server: server, _folder: folder, attacker, site })
    }

    pub(super) const fn client(&self) -> &Namespace {
        &self.site.client
    }

    pub(super) const fn attacker(&self) -> &Namespace {
        &self.attacker
    }

    pub(super) fn target(&self) -> SocketAddr {
        (FAMILY.service(), PORT).into()
    }

    /// The node's MAC address.
    pub(super) fn gateway(&self) -> Result<[u8; 6]> {
        self.site.node.mac("eth0")
    }
}

fn start_sluice(site: &Site, protection: &str) -> Result<Sluice> {
    let settings = format!(
        "address = \"{}\"\nport = {PORT}\ndelivery = \"l2\"\nsyn_protection = \"{protection}\"\n",
        FAMILY.service()
    );
    // Clients share one address here, and ask as often as many would.
    let configuration = node_section(&["eth0"])
        + "[syn]\nper_source = 10000\n"
        + &service_section("web", &settings, &site.backends(FAMILY));
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;
    Ok(sluice)
}

/// The node routes to the server, which replies by way of it.
fn route(site: &Site) -> Result<()> {
    let (client, node, server) = (FAMILY.host(9, 1), FAMILY.host(9, 2), FAMILY.server(0));
    site.node.set("ipv4/ip_forward", "1")?;
    site.node.ip(&format!("route add {} via {server}", FAMILY.service()))?;
    site.node.ip(&format!("route add {} via {}", Flood::SOURCES[0], FAMILY.host(9, ATTACKER)))?;
    for host in [&site.node, &site.servers[0]] {
        for which in ["all", "eth0"] {
            host.set(&format!("ipv4/conf/{which}/send_redirects"), "0")?;
        }
    }
    for to in [client.to_string(), Flood::SOURCES[0].to_owned()] {
        site.servers[0].ip(&format!("route add {to} via {node}"))?;
    }
    Ok(())
}

/// What the manual of nftables says: SYNs are not tracked, and what belongs to no connection goes to the proxy. It differs in two
/// things, without which connections stall in peace, too:
/// - No time stamps. In its ACK to the server the proxy echoes one that it has shifted twice, and a server of Linux 6.18 ignores such
///   an ACK (`TSEcrRejected`).
/// - A connection that has ended is forgotten after a second, not after two minutes. All clients share an address here, so ports are used
///   again sooner than that; the proxy does not take the ACK of a new connection where it remembers an old one.
fn proxy(node: &Namespace, folder: &TempDir) -> Result<()> {
    let (service, file) = (FAMILY.service(), folder.path().join("rules.nft"));
    let rules = format!(
        "table ip bench {{\n  chain raw {{\n    type filter hook prerouting priority raw;\n    ip daddr {service} tcp dport {PORT} \
         tcp flags syn notrack\n  }}\n  chain forward {{\n    type filter hook forward priority filter;\n    ip daddr {service} \
         tcp dport {PORT} ct state invalid,untracked synproxy mss 1460 wscale 7 sack-perm\n    ct state invalid drop\n  \
         }}\n}}\n"
    );
    fs::write(&file, rules).context("cannot write the rules")?;
    node.run("nft", &["-f", &file.to_string_lossy()])?;
    node.set("netfilter/nf_conntrack_tcp_timeout_time_wait", "1")?;
    node.set("netfilter/nf_conntrack_tcp_loose", "0")
}
