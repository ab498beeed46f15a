//! A site whose client has many addresses, of which a list has some.

use std::{
    fmt::Write,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use tempfile::TempDir;
use tests::{
    lab::{Family, Site, Sluice, node_section, service_section},
    traffic::UdpEcho,
};

use super::watch::{self, PORT};

/// Sources that are listed in every round, each with the prefixes that cover it in turn. No unlisted source is in any of them.
pub(crate) const LISTED: [(&str, &[&str]); 7] = [
    ("203.0.113.9", &["203.0.113.9", "203.0.113.8/29", "203.0.113.8/31"]),
    ("203.0.113.130", &["203.0.113.130/32", "203.0.113.128/25"]),
    ("198.51.100.40", &["198.51.100.32/27", "198.51.100.0/24", "198.51.96.0/20", "198.51.100.40"]),
    ("198.51.101.1", &["198.51.0.0/16", "198.51.101.1", "198.51.101.0/24"]),
    ("2001:db8:5:1::66", &["2001:db8:5:1::/65", "2001:db8:5:1::66", "2001:db8:5:1::60/124"]),
    ("2001:db8:5:2::1", &["2001:db8:5:2::/64", "2001:db8:5:2::1"]),
    ("2001:db8:6::1", &["2001:db8:6::/48", "2001:db8:6::1", "2001:db8:6::/64"]),
];

/// Sources that are on no list; most have listed ones beside them.
pub(crate) const UNLISTED: [&str; 7] = [
    "203.0.113.1",
    "203.0.113.2",
    "203.0.113.3",
    "203.0.113.7",
    "198.52.0.1",
    "2001:db8:5:1:8000::1",
    "2001:db8:5:3::1",
];

/// The site, its node and its only server.
pub(crate) struct Edge {
    pub(crate) sluice: Sluice,
    pub(crate) folder: TempDir,
    _echo: [UdpEcho; 2],
    pub(crate) site: Site,
}

impl Edge {
    /// Starts everything, with an empty list.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let site = Site::new(1)?;
        let sources: Vec<&str> = LISTED.iter().map(|(source, _)| *source).chain(UNLISTED).collect();
        for source in sources {
            site.client.own(source.parse()?)?;
            let is_v4 = source.parse::<IpAddr>()?.is_ipv4();
            let client = if is_v4 { Family::V4 } else { Family::V6 }.host(9, 1);
            for host in [&site.servers[0], &site.node] {
                host.ip(&format!("route add {source} via {client}"))?;
            }
        }
        let services = [Family::V4, Family::V6].map(watch::service);
        for service in services {
            site.servers[0].own(service.ip())?;
        }
        let start = |service| UdpEcho::start(&site.servers[0], "web1", service);
        let echo = [start(services[0])?, start(services[1])?];
        let folder = tempfile::tempdir()?;
        fs::write(list_file(&folder), "")?;
        let mut configuration = node_section(&["eth0"]);
        for (name, family) in [("four", Family::V4), ("six", Family::V6)] {
            let address = family.service();
            let settings = format!("address = \"{address}\"\nport = {PORT}\nprotocol = \"udp\"\ndelivery = \"l2\"\n");
            configuration += &service_section(name, &settings, &site.backends(family));
        }
        write!(
            configuration,
            "\n[[list]]\nname = \"pests\"\naction = \"deny\"\nfile = \"{}\"\n",
            list_file(&folder).display()
        )?;
        let sluice = Sluice::start(&site.node, &configuration)?;
        sluice.await_ready()?;
        Ok(Self { sluice, folder, _echo: echo, site })
    }

    /// Writes the list's file for a round: see [`prefixes`].
    pub(crate) fn write_list(&self, round: usize, count: u32) -> anyhow::Result<()> {
        Ok(fs::write(list_file(&self.folder), prefixes(round, count))?)
    }
}

fn list_file(folder: &TempDir) -> PathBuf {
    folder.path().join("pests.netset")
}

/// The prefixes of a round: what covers the listed sources in it, and so many others, of which every tenth is another in
/// the next round.
pub(crate) fn prefixes(round: usize, count: u32) -> String {
    let mut text = String::new();
    for (_, covering) in LISTED {
        text += covering[round % covering.len()];
        text.push('\n');
    }
    for number in 0..count {
        let seed = if number % 10 == 0 { number ^ (round as u32) << 24 } else { number };
        // From 16.0.0.0 to 79.255.255.255, where nobody of the site is. Odd multipliers permute.
        let address = 0x1000_0000 + (seed.wrapping_mul(0x9e37_79b1) >> 2);
        let length = [32, 32, 24, 32, 30, 32, 22, 32, 32, 27][number as usize % 10];
        let net = Ipv4Addr::from_bits(address >> (32 - length) << (32 - length));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{net}/{length}");
        if number % 16 == 0 {
            let _ = writeln!(
                text,
                "2a00:{:x}:{:x}::/{}",
                seed >> 16,
                seed & 0xffff,
                [48, 64, 56][number as usize / 16 % 3]
            );
        }
    }
    text
}
