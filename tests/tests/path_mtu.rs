//! Path MTU discovery works through the node, in both directions: transfers that need it complete.
//!
//! Linux does not probe for the MTU by itself here (`tcp_mtu_probing` is 0), so a transfer whose sender does not learn
//! what fits stops with its first full segment.

use std::{net::IpAddr, time::Duration};

use lb_userspace::api::types::Drops;
use tests::{
    lab::{Agent, Family, Namespace, Site, Sluice, Switch, addresses, node_section, service_section},
    traffic::{Direction, Transfer, TransferOptions, TransferServer},
};

const PORT: u16 = 9000;
const TRANSFER_BYTES: u64 = 3_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
const NARROW_BYTES: u32 = 1300;

fn transfer(client: &Namespace, service: IpAddr, direction: Direction) -> anyhow::Result<Transfer> {
    let options = TransferOptions { direction, size_bytes: TRANSFER_BYTES, rate_bytes_per_second: None };
    Transfer::start(client, (service, PORT).into(), options)
}

fn section(delivery: &str, family: Family, backends: &[(String, IpAddr)]) -> String {
    let settings =
        format!("address = \"{}\"\nport = {PORT}\nprotocol = \"tcp\"\ndelivery = \"{delivery}\"\n", family.service());
    service_section("bulk", &settings, backends)
}

fn drops(sluice: &Sluice, reason: &str) -> anyhow::Result<u64> {
    let drops: Drops = sluice.json(&["drops"])?;
    Ok(drops.reasons[reason].packets)
}

/// What the kernel has learned of the way to an address.
fn learned(host: &Namespace, address: IpAddr, bytes: u32) -> anyhow::Result<bool> {
    Ok(host.ip(&format!("route get {address}"))?.contains(&format!("mtu {bytes}")))
}

/// The client's full segments do not fit the link to the backends with an outer header in front.
fn upload(family: Family, backends: Family) -> anyhow::Result<()> {
    let site = Site::new(2)?;
    site.node.ip("link set eth0 mtu 1500")?;
    let address = family.service();
    let _agents =
        site.servers.iter().map(|host| Agent::start(host, "eth0", &[address])).collect::<anyhow::Result<Vec<_>>>()?;
    let _servers = serve(&site.servers)?;
    let configuration = node_section(&["eth0"]) + &section("ipip", family, &site.backends(backends));
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;
    transfer(&site.client, address, Direction::Upload)?.finish(PATIENCE)?;
    assert!(drops(&sluice, "mtu_exceeded")? > 0, "the client had to be told");
    let outer_bytes = if backends == Family::V4 { 20 } else { 40 };
    assert!(learned(&site.client, address, 1500 - outer_bytes)?, "the client knows what fits");
    Ok(())
}

fn serve(hosts: &[Namespace]) -> anyhow::Result<Vec<TransferServer>> {
    hosts.iter().map(|host| TransferServer::start(host, host.name(), PORT)).collect()
}

#[test]
fn a_client_learns_what_fits_with_an_ipv4_header_in_front() -> anyhow::Result<()> {
    upload(Family::V4, Family::V4)
}

#[test]
fn a_client_learns_what_fits_with_an_ipv6_header_in_front() -> anyhow::Result<()> {
    upload(Family::V6, Family::V6)
}

/// A router between the servers and the client, to whom less fits than the servers send. It tells the sender: the service's
/// address, which is the node.
struct Narrow {
    _outside: Switch,
    _inside: Switch,
    client: Namespace,
    _router: Namespace,
    node: Namespace,
    servers: Vec<Namespace>,
    backends: Vec<(String, IpAddr)>,
}

impl Narrow {
    fn new(family: Family, through_node: bool) -> anyhow::Result<Self> {
        let (outside, inside) = (Switch::new("outside")?, Switch::with_mtu("inside", 1600)?);
        let plug = |switch: &Switch, host: &Namespace, interface: &str, network: u8, number: u8| {
            switch.attach(host, interface, &addresses(network, number).each_ref().map(String::as_str))
        };
        let [client, router, node] = ["client", "router", "node"].map(Namespace::new);
        let (client, router, node) = (client?, router?, node?);
        plug(&outside, &client, "eth0", 1, 1)?;
        plug(&outside, &router, "outside", 1, 2)?;
        plug(&inside, &router, "inside", 2, 1)?;
        plug(&inside, &node, "eth0", 2, 2)?;
        router.ip(&format!("link set outside mtu {NARROW_BYTES}"))?;
        router.ip(&format!("route add {} via {}", family.service(), family.host(2, 2)))?;
        client.ip(&format!("route add default via {}", family.host(1, 2)))?;
        node.ip(&format!("route add default via {}", family.host(2, 1)))?;
        for forwarding in [&router, &node] {
            forwarding.set("ipv4/ip_forward", "1")?;
            forwarding.set("ipv6/conf/all/forwarding", "1")?;
        }
        let mut servers = Vec::new();
        let mut backends = Vec::new();
        for index in 0..3 {
            let (name, number) = (format!("web{}", index + 1), 11 + index);
            let server = Namespace::new(&name)?;
            plug(&inside, &server, "eth0", 2, number)?;
            server.ip("link set eth0 mtu 1500")?;
            server.ip(&format!("route add default via {}", family.host(2, if through_node { 2 } else { 1 })))?;
            servers.push(server);
            backends.push((name, family.host(2, number)));
        }
        Ok(Self { _outside: outside, _inside: inside, client, _router: router, node, servers, backends })
    }
}

/// Every server learns what fits, and from the errors about its own connections: nobody else tells it.
fn download(delivery: &str, family: Family) -> anyhow::Result<()> {
    let narrow = Narrow::new(family, delivery == "nat")?;
    let address = family.service();
    let mut agents = Vec::new();
    for server in &narrow.servers {
        match delivery {
            "l2" => server.own(address)?,
            "ipip" => agents.push(Agent::start(server, "eth0", &[address])?),
            _ => {}
        }
    }
    let _servers = serve(&narrow.servers)?;
    let sluice =
        Sluice::start(&narrow.node, &(node_section(&["eth0"]) + &section(delivery, family, &narrow.backends)))?;
    sluice.await_ready()?;
    let transfers =
        (0..12).map(|_| transfer(&narrow.client, address, Direction::Download)).collect::<anyhow::Result<Vec<_>>>()?;
    for transfer in transfers {
        transfer.finish(PATIENCE)?;
    }
    assert_eq!(drops(&sluice, "icmp_unknown")?, 0);
    let client = family.host(1, 1);
    let told = narrow.servers.iter().map(|server| learned(server, client, NARROW_BYTES));
    let told = told.collect::<anyhow::Result<Vec<_>>>()?.into_iter().filter(|&told| told).count();
    assert!(told >= 2, "{told} of three servers know what fits; by chance it is fewer than two in one run of 40,000");
    Ok(())
}

#[test]
fn l2_backends_learn_what_fits_over_ipv4() -> anyhow::Result<()> {
    download("l2", Family::V4)
}

#[test]
fn l2_backends_learn_what_fits_over_ipv6() -> anyhow::Result<()> {
    download("l2", Family::V6)
}

#[test]
fn ipip_backends_learn_what_fits_over_ipv4() -> anyhow::Result<()> {
    download("ipip", Family::V4)
}

#[test]
fn ipip_backends_learn_what_fits_over_ipv6() -> anyhow::Result<()> {
    download("ipip", Family::V6)
}

#[test]
fn nat_backends_learn_what_fits_over_ipv4() -> anyhow::Result<()> {
    download("nat", Family::V4)
}

#[test]
fn nat_backends_learn_what_fits_over_ipv6() -> anyhow::Result<()> {
    download("nat", Family::V6)
}
