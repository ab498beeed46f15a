//! Who is where on the link changes, and Sluice follows.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use aya::maps::{Array, Map, MapData};
use lb_common::{BackendValue, LAYOUT_VERSION, Mac};
use lb_userspace::{
    api::types::{BackendStatus, Drops, Status},
    dataplane::Plain,
};
use tests::{
    lab::{
        Family, Namespace, Nginx, NginxOptions, Site, Sluice, Switch, addresses, curl, node_section, service_section,
        until,
    },
    traffic::{Report, UdpEcho, UdpOptions, ask_udp},
};

const PATIENCE: Duration = Duration::from_secs(10);

fn dns(family: Family) -> SocketAddr {
    (family.service(), 53).into()
}

fn dns_section(family: Family, backends: &[(String, IpAddr)]) -> String {
    let settings = format!("address = \"{}\"\nport = 53\nprotocol = \"udp\"\ndelivery = \"l2\"", family.service());
    service_section("dns", &settings, backends)
}

fn serve(host: &Namespace, family: Family) -> anyhow::Result<UdpEcho> {
    host.own(family.service())?;
    UdpEcho::start(host, host.name(), dns(family))
}

fn ask(client: &Namespace, family: Family) -> anyhow::Result<Report> {
    ask_udp(client, dns(family), UdpOptions { flows: 40, timeout: Duration::from_millis(100), ..UdpOptions::default() })
}

fn await_all_answered(client: &Namespace, family: Family) -> anyhow::Result<Report> {
    until("all datagrams should be answered", PATIENCE, || {
        ask(client, family).ok().filter(|report| report.failed() == 0)
    })
}

fn drops(sluice: &Sluice, reason: &str) -> anyhow::Result<u64> {
    let drops: Drops = sluice.json(&["drops"])?;
    Ok(drops.reasons[reason].packets)
}

/// A server gets another card, and tells its neighbours as servers do.
fn a_new_card(family: Family) -> anyhow::Result<()> {
    let site = Site::new(2)?;
    let _echo = site.servers.iter().map(|host| serve(host, family)).collect::<Result<Vec<_>, _>>()?;
    let sluice = Sluice::start(&site.node, &(node_section(&["eth0"]) + &dns_section(family, &site.backends(family))))?;
    sluice.await_ready()?;
    assert_eq!(ask(&site.client, family)?.failed(), 0);

    let server = &site.servers[0];
    server.set("ipv4/conf/eth0/arp_notify", "1")?;
    server.set("ipv6/conf/eth0/ndisc_notify", "1")?;
    // Whatever the kernel has learnt within a second it holds against others (`locktime`).
    site.node.set("ipv4/neigh/eth0/locktime", "0")?;
    server.ip("link set eth0 address 02:00:00:00:99:01")?;
    let report = await_all_answered(&site.client, family)?;
    assert!(report.share("web1") > 0.0 && report.share("web2") > 0.0, "{report:?}");
    Ok(())
}

#[test]
fn a_new_card_is_followed_over_ipv4() -> anyhow::Result<()> {
    a_new_card(Family::V4)
}

#[test]
fn a_new_card_is_followed_over_ipv6() -> anyhow::Result<()> {
    a_new_card(Family::V6)
}

#[test]
fn the_nodes_own_new_card_is_followed() -> anyhow::Result<()> {
    let site = Site::new(1)?;
    let _echo = serve(&site.servers[0], Family::V4)?;
    let backends = site.backends(Family::V4);
    let sluice = Sluice::start(&site.node, &(node_section(&["eth0"]) + &dns_section(Family::V4, &backends)))?;
    sluice.await_ready()?;
    site.node.set("ipv4/conf/eth0/arp_notify", "1")?;
    site.client.set("ipv4/neigh/eth0/locktime", "0")?;
    site.node.ip("link set eth0 address 02:00:00:00:99:02")?;
    until("packets should leave with the new address", PATIENCE, || {
        let value = first_backend(sluice.pins()).ok()?;
        (value.source_mac == Mac::new([2, 0, 0, 0, 0x99, 2])).then_some(())
    })?;
    await_all_answered(&site.client, Family::V4).map(drop)
}

/// The backend in the first slot, as the datapath sees it.
fn first_backend(pins: &Path) -> anyhow::Result<BackendValue> {
    let map = MapData::from_pin(pins.join(format!("v{LAYOUT_VERSION}/backends")))?;
    let backends: Array<_, Plain<BackendValue>> = Map::Array(map).try_into()?;
    Ok(backends.get(&0, 0)?.0)
}

/// A backend is configured before it is plugged in.
fn a_late_backend(family: Family) -> anyhow::Result<()> {
    let site = Site::new(1)?;
    let _first = serve(&site.servers[0], family)?;
    let backends = [site.backends(family), vec![("web2".to_owned(), family.server(1))]].concat();
    let sluice = Sluice::start(&site.node, &(node_section(&["eth0"]) + &dns_section(family, &backends)))?;
    let web = |index: usize| -> anyhow::Result<BackendStatus> { Ok(sluice.backends("dns")?.remove(index)) };
    until("the way to web1 should be known", PATIENCE, || web(0).ok()?.resolved.then_some(()))?;

    assert!(!web(1)?.resolved);
    let warnings = sluice.json::<Status>(&["status"])?.warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("web2"), "{warnings:?}");
    let shown = sluice.succeed(&["backends"])?;
    assert!(shown.contains("no way there"), "{shown}");
    let report = ask(&site.client, family)?;
    assert_eq!(report.failed(), drops(&sluice, "next_hop_unresolved")?);
    assert!(report.failed() > 0 && report.answered() > 0, "{report:?}");

    let late = site.switch.host("web2", &addresses(9, 12).each_ref().map(String::as_str))?;
    let _second = serve(&late, family)?;
    let report = await_all_answered(&site.client, family)?;
    assert!(report.share("web2") > 0.0, "{report:?}");
    assert!(web(1)?.resolved && sluice.json::<Status>(&["status"])?.warnings.is_empty());
    Ok(())
}

#[test]
fn a_backend_that_appears_later_is_found_over_ipv4() -> anyhow::Result<()> {
    a_late_backend(Family::V4)
}

#[test]
fn a_backend_that_appears_later_is_found_over_ipv6() -> anyhow::Result<()> {
    a_late_backend(Family::V6)
}

/// The client never asks for the node's MAC address, so the node's kernel does not learn the client's from that, and
/// XDP keeps its packets from the kernel.
fn an_unknown_client(family: Family) -> anyhow::Result<()> {
    let (front, back) = (Switch::new("front")?, Switch::new("back")?);
    let host = |switch: &Switch, name: &str, network: u8, number: u8| {
        switch.host(name, &addresses(network, number).each_ref().map(String::as_str))
    };
    let client = host(&front, "client", 2, 1)?;
    let server = host(&back, "web1", 3, 11)?;
    let node = Namespace::new("node")?;
    front.attach(&node, "front", &addresses(2, 2).each_ref().map(String::as_str))?;
    back.attach(&node, "back", &addresses(3, 1).each_ref().map(String::as_str))?;
    node.set("ipv4/ip_forward", "1")?;
    node.set("ipv6/conf/all/forwarding", "1")?;
    node.ip("link set front address 02:00:00:00:00:02")?;
    client.ip(&format!("neighbour replace {} lladdr 02:00:00:00:00:02 dev eth0", family.host(2, 2)))?;
    client.ip(&format!("route add {} via {}", family.service(), family.host(2, 2)))?;
    server.ip(&format!("route add default via {}", family.host(3, 1)))?;

    let _nginx = Nginx::start(&server, "web1", NginxOptions::default())?;
    let settings = format!("address = \"{}\"\nport = 80\ndelivery = \"nat\"", family.service());
    let backends = [("web1".to_owned(), family.host(3, 11))];
    let sluice =
        Sluice::start(&node, &(node_section(&["front", "back"]) + &service_section("web", &settings, &backends)))?;
    sluice.await_ready()?;

    let url = format!("http://{}/", SocketAddr::from((family.service(), 80)));
    assert_eq!(curl(&client, &url, &[])?, "web1\n");
    assert!(drops(&sluice, "neighbour_unknown")? > 0, "the client was known");
    Ok(())
}

#[test]
fn a_nat_client_whose_mac_address_is_unknown_is_found_over_ipv4() -> anyhow::Result<()> {
    an_unknown_client(Family::V4)
}

#[test]
fn a_nat_client_whose_mac_address_is_unknown_is_found_over_ipv6() -> anyhow::Result<()> {
    an_unknown_client(Family::V6)
}
