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
    direct_return_at(&Site::new(3)?, "eth0", delivery, service, backends, agents).map(drop)
}

/// The same on this site, through this interface of the node; the result is the daemon, which still runs.
fn direct_return_at(
    site: &Site,
    interface: &str,
    delivery: &str,
    service: Family,
    backends: Family,
    agents: bool,
) -> anyhow::Result<Sluice> {
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
    let configuration = node_section(&[interface]) + &services(address, delivery, &site.backends(backends));
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;
    use_services(&site.client, address)?;
    Ok(sluice)
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

#[test]
fn gue_carries_ipv4_in_ipv4() -> anyhow::Result<()> {
    direct_return("gue", Family::V4, Family::V4, true)
}

#[test]
fn gue_carries_ipv4_in_ipv6() -> anyhow::Result<()> {
    direct_return("gue", Family::V4, Family::V6, true)
}

#[test]
fn gue_carries_ipv6_in_ipv4() -> anyhow::Result<()> {
    direct_return("gue", Family::V6, Family::V4, true)
}

#[test]
fn gue_carries_ipv6_in_ipv6() -> anyhow::Result<()> {
    direct_return("gue", Family::V6, Family::V6, true)
}

/// Everybody's interface carries jumbo frames, which XDP has in several buffers.
fn jumbo(delivery: &str, service: Family, backends: Family, agents: bool) -> anyhow::Result<()> {
    let site = Site::with_mtu(3, 9200, 9000)?;
    let sluice = direct_return_at(&site, "eth0", delivery, service, backends, agents)?;
    assert_jumbo(&sluice)
}

/// Most of what the client has sent was large.
fn assert_jumbo(sluice: &Sluice) -> anyhow::Result<()> {
    let backends = sluice.backends("bulk")?;
    // An upload's segments are as many as a download's acknowledgements, or more: half of what they carry is the mean.
    let (packets, bytes) = backends
        .iter()
        .fold((0, 0), |(packets, bytes), backend| (packets + backend.traffic.packets, bytes + backend.traffic.bytes));
    anyhow::ensure!(bytes / packets > 4096, "{bytes} bytes in {packets} packets are no jumbo frames");
    Ok(())
}

#[test]
fn l2_carries_jumbo_frames() -> anyhow::Result<()> {
    jumbo("l2", Family::V4, Family::V4, false)
}

#[test]
fn ipip_carries_jumbo_frames() -> anyhow::Result<()> {
    jumbo("ipip", Family::V4, Family::V6, true)
}

#[test]
fn gue_carries_jumbo_frames() -> anyhow::Result<()> {
    jumbo("gue", Family::V6, Family::V6, true)
}

/// A bridge has no native XDP, so the kernel runs the program in its generic mode.
#[test]
fn the_generic_mode_carries_jumbo_frames() -> anyhow::Result<()> {
    let site = Site::with_mtu(3, 9200, 9000)?;
    // Else the kernel merges segments before the program sees them, into packets that fit no way.
    site.node.run("ethtool", &["-K", "eth0", "gro", "off"])?;
    site.node.ip("address flush dev eth0")?;
    site.node.ip("link add br0 mtu 9200 type bridge stp_state 0 mcast_snooping 0")?;
    site.node.ip("link set eth0 master br0")?;
    site.node.ip("link set br0 up")?;
    for address in addresses(9, 2) {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        site.node.ip(&format!("address add {address} dev br0 {nodad}"))?;
    }
    let sluice = direct_return_at(&site, "br0", "gue", Family::V4, Family::V6, true)?;
    assert!(sluice.succeed(&["status"])?.contains("generic"));
    assert_jumbo(&sluice)
}

/// A backend of one service is a client of another, on the one network that all are on.
#[test]
fn a_backend_asks_another_service() -> anyhow::Result<()> {
    let site = Site::new(3)?;
    let (own, other) = (Family::V4.service(), IpAddr::from([192, 0, 2, 81]));
    let [asking, answering @ ..] = &*site.servers else { anyhow::bail!("no servers") };
    let _agents = site
        .servers
        .iter()
        .map(|host| Agent::start(host, "eth0", &[if host.name() == asking.name() { own } else { other }]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let _bulk = answering
        .iter()
        .map(|host| TransferServer::start(host, host.name(), BULK_PORT))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // As for every client: its largest packet must still fit with headers in front.
    asking.ip("link set eth0 mtu 1500")?;
    asking.ip(&format!("route add {other} via {}", Family::V4.host(9, 2)))?;
    let backends = site.backends(Family::V4);
    let section = |name: &str, address, delivery: &str, backends: &[(String, IpAddr)]| {
        let settings = format!("address = \"{address}\"\nport = {BULK_PORT}\ndelivery = \"{delivery}\"\n");
        service_section(name, &settings, backends)
    };
    for delivery in ["ipip", "gue"] {
        let configuration = [
            node_section(&["eth0"]),
            section("own", own, delivery, &backends[..1]),
            section("other", other, delivery, &backends[1..]),
        ];
        let sluice = Sluice::start(&site.node, &configuration.concat())?;
        sluice.await_ready()?;
        for direction in [Direction::Download, Direction::Upload] {
            let options = TransferOptions { direction, size_bytes: 4_000_000, rate_bytes_per_second: None };
            let transfer = Transfer::start(asking, (other, BULK_PORT).into(), options)?;
            transfer.finish(Duration::from_secs(60)).with_context(|| format!("{delivery}: {direction:?}"))?;
        }
    }
    Ok(())
}

/// One backend is the node itself, the other two are on the network.
fn at_home(delivery: &str) -> anyhow::Result<()> {
    let site = Site::new(2)?;
    let address = Family::V4.service();
    let agents = site.servers.iter().map(|host| Agent::start(host, "eth0", &[address]));
    let _agents = agents.collect::<anyhow::Result<Vec<_>>>()?;
    site.node.own(address)?;
    let hosts = [&site.servers[..], std::slice::from_ref(&site.node)].concat();
    let _servers = Servers::start(&hosts, WEB_PORT, |_| (address, DNS_PORT).into())?;
    let mut backends = site.backends(Family::V4);
    backends.push(("node".to_owned(), Family::V4.host(9, 2)));
    let configuration = node_section(&["eth0"]) + &services(address, delivery, &backends);
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;

    let options = LoadOptions { timeout: Duration::from_secs(5), ..LoadOptions::default() };
    let load = Load::start(&site.client, (address, WEB_PORT).into(), options)?;
    let mut report = Report::default();
    until("two hundred requests should be answered", Duration::from_secs(20), || {
        report.add(&load.take());
        (report.requests() >= 200).then_some(())
    })?;
    report.add(&load.stop()?);
    assert_eq!(report.failed(), 0, "{}", report.reasons());
    for backend in sluice.backends("web")? {
        assert!(report.share(&backend.name) > 0.0, "{} had none of {:?}", backend.name, report.answers);
        assert_eq!(backend.local, backend.name == "node");
        assert!(backend.traffic.packets > 0, "{} was not counted", backend.name);
    }
    Ok(())
}

#[test]
fn l2_to_the_node_itself() -> anyhow::Result<()> {
    at_home("l2")
}

#[test]
fn gue_to_the_node_itself() -> anyhow::Result<()> {
    at_home("gue")
}

#[test]
fn nat_to_the_node_itself_is_refused_with_a_reason() -> anyhow::Result<()> {
    let site = Site::new(1)?;
    let settings = format!("address = \"{}\"\nport = {WEB_PORT}\ndelivery = \"nat\"\n", Family::V4.service());
    let backends = [("node".to_owned(), Family::V4.host(9, 2))];
    let configuration = node_section(&["eth0"]) + &service_section("web", &settings, &backends);
    let sluice = Sluice::start(&site.node, &configuration)?;
    let backend = &sluice.backends("web")?[0];
    assert!(backend.local && !backend.resolved, "{backend:?}");
    let shown = sluice.succeed(&["backends", "web"])?;
    assert!(shown.contains("this node itself, whose replies cannot be rewritten: use l2, ipip or gue"), "{shown}");
    let status = sluice.succeed(&["status"])?;
    let warning = "backend node of service web (10.9.0.2) is this node itself, whose replies `nat` cannot rewrite";
    assert!(status.contains(warning), "{status}");
    Ok(())
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
    use_services(&client, family.service())?;
    // Questions and answers in three fragments each.
    let options = UdpOptions { flows: 20, payload_bytes: 4000, timeout: Duration::from_secs(5) };
    let report = ask_udp(&client, (family.service(), DNS_PORT).into(), options)?;
    assert_eq!(report.answered(), 20, "{report:?}");
    Ok(())
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
