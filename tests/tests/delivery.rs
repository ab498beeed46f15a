//! Every delivery in every family: requests over three backends all succeed, and every byte of a transfer is right.
//!
//! Checksums are computed in software at every sender (see the lab), so a wrong one stops a transfer. The size of a
//! transfer is `SLUICE_TRANSFER_BYTES`, 16 MB by default: `SLUICE_TRANSFER_BYTES=1000000000` is the full measure.

use std::{
    env,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use tests::{
    lab::{
        Agent, Family, Namespace, Nginx, NginxOptions, Site, Sluice, Switch, addresses, node_section, service_section,
        service_with_port, until,
    },
    traffic::{
        Direction, Load, LoadOptions, Report, Transfer, TransferOptions, TransferServer, UdpEcho, UdpOptions, ask_udp,
    },
};

const WEB_PORT: u16 = 80;
const BULK_PORT: u16 = 9000;
const DNS_PORT: u16 = 53;

/// How the servers get packets, and where they listen.
struct Servers {
    _nginx: Vec<Nginx>,
    _bulk: Vec<TransferServer>,
    _echo: Vec<UdpEcho>,
}

impl Servers {
    /// Web servers, transfer servers and echo servers; the latter answer from the address that they listen on.
    fn start(hosts: &[Namespace], web_port: u16, echo: impl Fn(usize) -> SocketAddr) -> anyhow::Result<Self> {
        let options = || NginxOptions { ports: vec![web_port], ..NginxOptions::default() };
        let each = || hosts.iter().enumerate();
        Ok(Self {
            _nginx: each().map(|(_, host)| Nginx::start(host, host.name(), options())).collect::<Result<_, _>>()?,
            _bulk: each()
                .map(|(_, host)| TransferServer::start(host, host.name(), BULK_PORT))
                .collect::<Result<_, _>>()?,
            _echo: each()
                .map(|(index, host)| UdpEcho::start(host, host.name(), echo(index)))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn transfer_bytes() -> anyhow::Result<u64> {
    match env::var("SLUICE_TRANSFER_BYTES") {
        Ok(size) => size.parse().context("SLUICE_TRANSFER_BYTES is not a number of bytes"),
        Err(_) => Ok(16_000_000),
    }
}

/// Requests, datagrams and transfers in both directions, all of which must succeed.
fn use_services(client: &Namespace, address: IpAddr) -> anyhow::Result<()> {
    // The first reply to a neighbour that the node's kernel does not know yet is lost, and sent again after a second.
    let options = LoadOptions { timeout: Duration::from_secs(5), ..LoadOptions::default() };
    let load = Load::start(client, (address, WEB_PORT).into(), options)?;
    let mut report = Report::default();
    until("three hundred requests should be answered", Duration::from_secs(20), || {
        report.add(&load.take());
        (report.requests() >= 300).then_some(())
    })?;
    report.add(&load.stop()?);
    assert_eq!(report.failed(), 0, "{}", report.reasons());
    assert_spread(&report);

    let report = ask_udp(client, (address, DNS_PORT).into(), UdpOptions { flows: 60, ..UdpOptions::default() })?;
    assert_eq!(report.failed(), 0, "{}", report.reasons());
    assert_spread(&report);

    for direction in [Direction::Download, Direction::Upload] {
        let options = TransferOptions { direction, size_bytes: transfer_bytes()?, rate_bytes_per_second: None };
        let transfer = Transfer::start(client, (address, BULK_PORT).into(), options)?;
        transfer.finish(Duration::from_secs(600)).with_context(|| format!("{direction:?}"))?;
    }
    Ok(())
}

/// Every backend has its part; how even the parts are is seen with more flows elsewhere. Sixty flows pass one of three
/// by less than once in ten thousand million runs.
fn assert_spread(report: &Report) {
    for backend in ["web1", "web2", "web3"] {
        assert!(report.share(backend) > 0.0, "{backend} had {:.3} of {:?}", report.share(backend), report.answers);
    }
}

/// The three services at an address, delivered without a change of ports.
fn services(address: IpAddr, delivery: &str, backends: &[(String, IpAddr)]) -> String {
    [("web", "tcp", WEB_PORT), ("bulk", "tcp", BULK_PORT), ("dns", "udp", DNS_PORT)]
        .map(|(name, protocol, port)| {
            let settings = format!(
                "address = \"{address}\"\nport = {port}\nprotocol = \"{protocol}\"\ndelivery = \"{delivery}\"\n"
            );
            service_section(name, &settings, backends)
        })
        .concat()
}

/// The backends' addresses are of one family and the service's of the same or another.
fn direct_return(delivery: &str, service: Family, backends: Family, agents: bool) -> anyhow::Result<()> {
    let site = Site::new(3)?;
    let address = service.service();
    let mut running = Vec::new();
    for host in &site.servers {
        if agents {
            running.push(Agent::start(host, "eth0", &[address])?);
        } else {
            host.own(address)?;
        }
    }
    let _servers = Servers::start(&site.servers, WEB_PORT, |_| (address, DNS_PORT).into())?;
    let configuration = node_section(&["eth0"]) + &services(address, delivery, &site.backends(backends));
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;
    use_services(&site.client, address)
}

#[test]
fn l2_over_ipv4() -> anyhow::Result<()> {
    direct_return("l2", Family::V4, Family::V4, false)
}

#[test]
fn l2_over_ipv6() -> anyhow::Result<()> {
    direct_return("l2", Family::V6, Family::V6, false)
}

#[test]
fn l2_with_agents_that_own_the_address() -> anyhow::Result<()> {
    direct_return("l2", Family::V4, Family::V4, true)
}

#[test]
fn ipip_carries_ipv4_in_ipv4() -> anyhow::Result<()> {
    direct_return("ipip", Family::V4, Family::V4, true)
}

#[test]
fn ipip_carries_ipv4_in_ipv6() -> anyhow::Result<()> {
    direct_return("ipip", Family::V4, Family::V6, true)
}

#[test]
fn ipip_carries_ipv6_in_ipv4() -> anyhow::Result<()> {
    direct_return("ipip", Family::V6, Family::V4, true)
}

#[test]
fn ipip_carries_ipv6_in_ipv6() -> anyhow::Result<()> {
    direct_return("ipip", Family::V6, Family::V6, true)
}

/// The node stands between two networks: the client is behind a router of the front one, the servers are on the back
/// one. With `nat` they send everything to the node, with `full-nat` they know of no other network than their own.
fn rewritten(delivery: &str, family: Family) -> anyhow::Result<()> {
    let (outside, front, back) = (Switch::new("outside")?, Switch::new("front")?, Switch::new("back")?);
    let host = |switch: &Switch, name: &str, network: u8, number: u8| {
        switch.host(name, &addresses(network, number).each_ref().map(String::as_str))
    };
    let plug = |switch: &Switch, host: &Namespace, interface: &str, network: u8, number: u8| {
        switch.attach(host, interface, &addresses(network, number).each_ref().map(String::as_str))
    };
    let client = host(&outside, "client", 1, 1)?;
    let (router, node) = (Namespace::new("router")?, Namespace::new("node")?);
    plug(&outside, &router, "outside", 1, 2)?;
    plug(&front, &router, "front", 2, 1)?;
    plug(&front, &node, "front", 2, 2)?;
    plug(&back, &node, "back", 3, 1)?;
    let servers = (0..3)
        .map(|index| host(&back, &format!("web{}", index + 1), 3, 11 + index))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for forwarding in [&router, &node] {
        forwarding.set("ipv4/ip_forward", "1")?;
        forwarding.set("ipv6/conf/all/forwarding", "1")?;
    }
    client.ip(&format!("route add default via {}", family.host(1, 2)))?;
    router.ip(&format!("route add {} via {}", family.service(), family.host(2, 2)))?;
    node.ip(&format!("route add default via {}", family.host(2, 1)))?;
    for server in servers.iter().filter(|_| delivery == "nat") {
        server.ip(&format!("route add default via {}", family.host(3, 1)))?;
    }

    let address_of = |index: usize| family.host(3, 11 + index as u8);
    let _servers = Servers::start(&servers, 8080, |index| (address_of(index), 5353).into())?;
    let backends: Vec<_> =
        servers.iter().enumerate().map(|(index, host)| (host.name().to_owned(), address_of(index))).collect();
    let section = |name: &str, protocol: &str, port: u16, to: Option<u16>| {
        let address = family.service();
        let settings =
            format!("address = \"{address}\"\nport = {port}\nprotocol = \"{protocol}\"\ndelivery = \"{delivery}\"\n");
        service_with_port(name, &settings, &backends, to)
    };
    let configuration = [
        node_section(&["front", "back"]),
        section("web", "tcp", WEB_PORT, Some(8080)),
        section("bulk", "tcp", BULK_PORT, None),
        section("dns", "udp", DNS_PORT, Some(5353)),
    ];
    let sluice = Sluice::start(&node, &configuration.concat())?;
    sluice.await_ready()?;
    use_services(&client, family.service())
}

#[test]
fn nat_over_ipv4() -> anyhow::Result<()> {
    rewritten("nat", Family::V4)
}

#[test]
fn nat_over_ipv6() -> anyhow::Result<()> {
    rewritten("nat", Family::V6)
}

#[test]
fn full_nat_over_ipv4() -> anyhow::Result<()> {
    rewritten("full-nat", Family::V4)
}

#[test]
fn full_nat_over_ipv6() -> anyhow::Result<()> {
    rewritten("full-nat", Family::V6)
}
