//! A node with two services of datagrams, `four` and `six`, which one server echoes: what tests of the firewall send to.

use std::{
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use lb_userspace::api::types::{Changed, Drops, Explanation};

use super::{Family, Site, Sluice, node_section, service_section, until};
use crate::traffic::UdpEcho;

/// Runs until it is dropped.
#[derive(Debug)]
pub struct Echoes {
    /// On the node.
    pub sluice: Sluice,
    /// The configuration of the services.
    pub services: String,
    _echoes: [UdpEcho; 2],
    /// The hosts.
    pub site: Site,
}

impl Echoes {
    /// The services' port.
    pub const PORT: u16 = 53;
    /// A second address of the client's in each family.
    pub const OTHERS: [&str; 2] = ["203.0.113.9", "2001:db8:5::9"];

    /// Starts all of it with the services, and then takes this configuration as well. The neighbours know each other then.
    pub fn start(more: &str) -> anyhow::Result<Self> {
        let site = Site::new(1)?;
        let mut services = node_section(&["eth0"]);
        for (family, name, other) in [(Family::V4, "four", Self::OTHERS[0]), (Family::V6, "six", Self::OTHERS[1])] {
            site.client.own(other.parse()?)?;
            for host in [&site.servers[0], &site.node] {
                host.ip(&format!("route add {other} via {}", family.host(9, 1)))?;
            }
            site.servers[0].own(family.service())?;
            let (address, port) = (family.service(), Self::PORT);
            let settings = format!("address = \"{address}\"\nport = {port}\nprotocol = \"udp\"\ndelivery = \"l2\"");
            services += &service_section(name, &settings, &site.backends(family));
        }
        let echo =
            |family: Family| UdpEcho::start(&site.servers[0], "web1", SocketAddr::new(family.service(), Self::PORT));
        let echoes = [echo(Family::V4)?, echo(Family::V6)?];
        let sluice = Sluice::start(&site.node, &services)?;
        sluice.await_ready()?;
        let started = Self { sluice, services, _echoes: echoes, site };
        // The first datagrams are lost while the neighbours get to know each other.
        for (family, other) in [(Family::V4, Self::OTHERS[0]), (Family::V6, Self::OTHERS[1])] {
            for source in [family.host(9, 1), other.parse()?] {
                started.await_answer(source, Duration::from_secs(20))?;
            }
        }
        started.apply(more)?;
        Ok(started)
    }

    /// Takes this configuration besides that of the services.
    pub fn apply(&self, more: &str) -> anyhow::Result<Changed> {
        self.apply_all(&(self.services.clone() + more))
    }

    /// Takes this configuration.
    pub fn apply_all(&self, text: &str) -> anyhow::Result<Changed> {
        fs::write(self.sluice.configuration(), text)?;
        self.sluice.json(&["apply"])
    }

    /// The client's socket to the service of an address's family, from that address and a port; 0 is any.
    pub fn socket(&self, source: IpAddr, port: u16) -> anyhow::Result<UdpSocket> {
        let family = if source.is_ipv4() { Family::V4 } else { Family::V6 };
        let socket = self.site.client.enter(|| {
            let socket = UdpSocket::bind((source, port))?;
            socket.connect((family.service(), Self::PORT))?;
            std::io::Result::Ok(socket)
        })??;
        Ok(socket)
    }

    /// Sends so many datagrams at once from an address and a port; how many were answered.
    pub fn answered(&self, source: IpAddr, port: u16, count: usize) -> anyhow::Result<usize> {
        let socket = self.socket(source, port)?;
        for _ in 0..count {
            socket.send(&[0; 32])?;
        }
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        Ok((0..count).take_while(|_| socket.recv(&mut [0; 64]).is_ok()).count())
    }

    /// What is said to become of a datagram from an address and a port.
    pub fn explained(&self, source: IpAddr, port: u16) -> anyhow::Result<Explanation> {
        let family = if source.is_ipv4() { Family::V4 } else { Family::V6 };
        let [from, to] =
            [(source, port), (family.service(), Self::PORT)].map(SocketAddr::from).map(|end| end.to_string());
        self.sluice.json(&["explain", "--from", &from, "--to", &to, "udp"])
    }

    /// How many packets were dropped for a reason.
    pub fn dropped(&self, reason: &str) -> anyhow::Result<u64> {
        Ok(self.sluice.json::<Drops>(&["drops"])?.reasons[reason].packets)
    }

    /// Asks from an address until there is an answer; how long that took.
    pub fn await_answer(&self, source: IpAddr, patience: Duration) -> anyhow::Result<Duration> {
        let socket = self.socket(source, 0)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let began = Instant::now();
        until(&format!("{source} should be answered"), patience, || {
            socket.send(&[0; 32]).ok()?;
            socket.recv(&mut [0; 64]).ok()
        })?;
        Ok(began.elapsed())
    }
}
