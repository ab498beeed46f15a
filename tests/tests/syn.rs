//! Floods of SYNs: real clients connect while one goes on, and open connections notice nothing.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use lb_userspace::api::types::{Explanation, ServiceStatus, SynStatus};
use tests::{
    lab::{
        Agent, Family, Namespace, Nginx, NginxOptions, Site, Sluice, browse, curl, node_section, service_section, until,
    },
    traffic::{Direction, Flood, FloodOptions, Transfer, TransferOptions, TransferServer},
};

const WEB_PORT: u16 = 80;
const BULK_PORT: u16 = 9000;
/// The number of the host that floods.
const ATTACKER: u8 = 66;
const PATIENCE: Duration = Duration::from_secs(30);
/// SYNs a second: ten times the rate at which protection begins here, and far from what a machine can take.
const RATE: u32 = 3000;
/// What the page for the browser refers to.
const PARTS: u32 = 12;
/// No flood is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Servers behind a protected service, a client and an attacker.
struct Besieged {
    sluice: Sluice,
    servers: Vec<(Nginx, TransferServer)>,
    _agents: Vec<Agent>,
    attacker: Namespace,
    site: Site,
    family: Family,
}

impl Besieged {
    fn start(delivery: &str, family: Family, protection: &str) -> anyhow::Result<Self> {
        let site = Site::new(2)?;
        let address = family.service();
        let attackers = [Family::V4, Family::V6]
            .map(|family| format!("{}/{}", family.host(9, ATTACKER), family.prefix_lengths().0));
        let attacker = site.switch.host("attacker", &attackers.each_ref().map(String::as_str))?;
        let via = if delivery.ends_with("nat") { through_the_node(&site, family)? } else { family.host(9, ATTACKER) };
        for server in &site.servers {
            // Answers to made-up sources must have a way, or no connection is half open.
            server.ip(&format!("route add {} via {via}", sources(family)))?;
        }
        let mut agents = Vec::new();
        for server in &site.servers {
            match delivery {
                "l2" => server.own(address)?,
                "nat" | "full-nat" => {}
                _ => agents.push(Agent::start(server, "eth0", &[address])?),
            }
        }
        let server = |host: &Namespace| -> anyhow::Result<_> {
            let options = NginxOptions { ports: vec![WEB_PORT], ..NginxOptions::default() };
            Ok((Nginx::start(host, host.name(), options)?, TransferServer::start(host, host.name(), BULK_PORT)?))
        };
        let servers = site.servers.iter().map(server).collect::<Result<_, _>>()?;
        let section = |name: &str, port: u16| {
            let settings = format!(
                "address = \"{address}\"\nport = {port}\ndelivery = \"{delivery}\"\nsyn_protection = \"{protection}\"\n"
            );
            service_section(name, &settings, &site.backends(family))
        };
        let configuration = node_section(&["eth0"])
            + "[syn]\nenter = 300\nleave = 100\nhold = \"2s\"\n"
            + &section("web", WEB_PORT)
            + &section("bulk", BULK_PORT);
        let sluice = Sluice::start(&site.node, &configuration)?;
        sluice.await_ready()?;
        Ok(Self { sluice, servers, _agents: agents, attacker, site, family })
    }

    fn target(&self, port: u16) -> SocketAddr {
        (self.family.service(), port).into()
    }

    fn flood(&self) -> anyhow::Result<Flood> {
        let gateway = self.site.node.mac("eth0")?;
        let target = self.target(WEB_PORT);
        Flood::start(&self.attacker, FloodOptions { target, gateway, rate_per_second: RATE, longest: LONGEST })
    }

    fn syn(&self) -> anyhow::Result<SynStatus> {
        let service: ServiceStatus = self.sluice.json(&["services", "web"])?;
        service.syn.context("a TCP service has this")
    }

    fn await_active(&self, active: bool) -> anyhow::Result<()> {
        let what = if active { "protection should begin" } else { "protection should end" };
        until(what, PATIENCE, || self.syn().ok().filter(|syn| syn.active == active)).map(drop)
    }

    /// Asks for a page on a connection of its own; how long that took.
    fn ask(&self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        let answer = curl(&self.site.client, &format!("http://{}/", self.target(WEB_PORT)), &[])?;
        ensure!(answer.starts_with("web"), "this is no page: {answer}");
        Ok(start.elapsed())
    }

    /// Opens a page with [`PARTS`] scripts in a browser; how long it took by the browser's clock until all of them had run.
    fn browse(&self) -> anyhow::Result<Duration> {
        for (nginx, _) in &self.servers {
            publish_page(&nginx.files())?;
        }
        let document = browse(&self.site.client, &format!("http://{}/files/page.html", self.target(WEB_PORT)))?;
        for part in 0..PARTS {
            ensure!(document.contains(&format!("<li>part {part}</li>")), "part {part} is missing: {document}");
        }
        let (_, shown) = document.split_once("<output>").context("the page has not been finished")?;
        let (milliseconds, _) = shown.split_once("</output>").context("this is no document")?;
        Ok(Duration::from_millis(milliseconds.parse()?))
    }

    fn log(&self) -> anyhow::Result<String> {
        let folder = self.sluice.configuration();
        Ok(fs::read_to_string(folder.with_file_name("log"))?)
    }
}

/// As a firewall in front of a client does that takes the unexpected for an attack.
fn filter_resets(client: &Namespace) -> anyhow::Result<()> {
    for rule in [
        "add table inet filter",
        "add chain inet filter out { type filter hook output priority 0; }",
        "add rule inet filter out tcp flags & rst == rst drop",
    ] {
        client.run("nft", &[rule])?;
    }
    Ok(())
}

/// Each script adds a line to the page; when the last has, the page says how long it took.
fn publish_page(folder: &Path) -> anyhow::Result<()> {
    let scripts: String = (0..PARTS).map(|part| format!("<script src=part{part}.js defer></script>\n")).collect();
    let finish = "document.querySelector('output').textContent = Math.round(performance.now())";
    let page = format!(
        "<!DOCTYPE html>\n<ul></ul><output></output>\n{scripts}<script>onload = () => {{ {finish} }}</script>\n"
    );
    fs::write(folder.join("page.html"), page)?;
    for part in 0..PARTS {
        let line = format!("document.querySelector('ul').innerHTML += '<li>part {part}</li>'");
        fs::write(folder.join(format!("part{part}.js")), line)?;
    }
    Ok(())
}

const fn sources(family: Family) -> &'static str {
    match family {
        Family::V4 => Flood::SOURCES[0],
        Family::V6 => Flood::SOURCES[1],
    }
}

/// Servers send what they reply to anybody through the node, which knows the ways on. Returns its address.
fn through_the_node(site: &Site, family: Family) -> anyhow::Result<IpAddr> {
    let (client, node) = (family.host(9, 1), family.host(9, 2));
    site.node.set("ipv4/ip_forward", "1")?;
    site.node.ip(&format!("route add {} via {}", sources(family), family.host(9, ATTACKER)))?;
    for host in site.servers.iter().chain([&site.node]) {
        for which in ["all", "eth0"] {
            host.set(&format!("ipv4/conf/{which}/send_redirects"), "0")?;
        }
    }
    for server in &site.servers {
        server.ip(&format!("route add {client} via {node}"))?;
    }
    Ok(node)
}

/// Protection begins with a flood and ends after it; a transfer from before goes on, and new connections are made.
fn rides_out(delivery: &str, family: Family) -> anyhow::Result<()> {
    let mut besieged = Besieged::start(delivery, family, "auto")?;
    besieged.ask()?;
    ensure!(!besieged.syn()?.active, "there is no flood yet");
    let options = TransferOptions {
        direction: Direction::Upload,
        size_bytes: 20_000_000,
        rate_bytes_per_second: Some(1_000_000),
    };
    let transfer = Transfer::start(&besieged.site.client, besieged.target(BULK_PORT), options)?;
    transfer.await_backend(PATIENCE)?;

    let flood = besieged.flood()?;
    besieged.await_active(true)?;
    for _ in 0..20 {
        besieged.ask()?;
    }
    let syn = besieged.syn()?;
    ensure!(syn.proved >= 1 && syn.admitted >= 20, "the client was let in because it proved itself: {syn:?}");
    ensure!(syn.challenged > 500, "strangers were asked: {syn:?}");
    ensure!(syn.limited == 0, "nobody sent too much: {syn:?}");
    let moved = transfer.moved_bytes();
    besieged.sluice.restart()?;
    ensure!(besieged.syn()?.active, "the new daemon goes on");
    besieged.ask()?;
    until("the transfer should go on", PATIENCE, || (transfer.moved_bytes() > moved).then_some(()))?;
    let status = besieged.sluice.succeed(&["status"])?;
    ensure!(status.contains("service web is flooded with SYNs: SYN protection is active"), "{status}");
    let shown = besieged.sluice.succeed(&["syn"])?;
    ensure!(shown.contains("active for") && shown.contains("CHALLENGED"), "{shown}");

    flood.stop()?;
    besieged.await_active(false)?;
    besieged.ask()?;
    let log = besieged.log()?;
    ensure!(log.contains("the flood of SYNs is over; SYN protection ends"), "{log}");
    transfer.finish(Duration::from_secs(120))
}

#[test]
fn a_flood_on_l2_is_ridden_out() -> anyhow::Result<()> {
    rides_out("l2", Family::V4)
}

#[test]
fn a_flood_on_ipip_over_ipv6_is_ridden_out() -> anyhow::Result<()> {
    rides_out("ipip", Family::V6)
}

#[test]
fn a_flood_on_nat_is_ridden_out() -> anyhow::Result<()> {
    rides_out("nat", Family::V4)
}

#[test]
fn a_flood_on_gue_is_ridden_out() -> anyhow::Result<()> {
    rides_out("gue", Family::V4)
}

#[test]
fn a_flood_on_full_nat_is_ridden_out() -> anyhow::Result<()> {
    rides_out("full-nat", Family::V4)
}

/// As a browser does for what a page refers to.
#[test]
fn a_stranger_who_connects_many_times_at_once_gets_all_of_it() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "always")?;
    let _flood = besieged.flood()?;
    let url = format!("http://{}/", besieged.target(WEB_PORT));
    let start = Instant::now();
    let pages =
        curl(&besieged.site.client, &url, &[&["-Z", "--parallel-immediate"], &[url.as_str(); 11][..]].concat())?;
    let syn = besieged.syn()?;
    ensure!(pages.matches("web").count() == 12, "some of twelve pages are missing: {pages}");
    ensure!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
    ensure!(syn.proved >= 1 && syn.admitted >= 12, "{syn:?}");
    Ok(())
}

#[test]
#[ignore = "needs a browser, which `cargo xtask test --browser` installs"]
fn a_browser_gets_all_of_a_page() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "always")?;
    let _flood = besieged.flood()?;
    let took = besieged.browse()?;
    let syn = besieged.syn()?;
    ensure!(took < Duration::from_secs(2), "it took {took:?}");
    ensure!(syn.proved >= 1 && syn.retried == 0, "it got in in another way: {syn:?}");
    ensure!(syn.admitted > 1, "it had one connection only: {syn:?}");
    Ok(())
}

#[test]
#[ignore = "needs a browser, which `cargo xtask test --browser` installs"]
fn a_browser_whose_resets_are_filtered_gets_all_of_a_page() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "always")?;
    filter_resets(&besieged.site.client)?;
    let _flood = besieged.flood()?;
    let took = besieged.browse()?;
    let syn = besieged.syn()?;
    // Its first connection waits for a second, and then carries what the others still wait for.
    ensure!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&took), "it took {took:?}");
    ensure!(syn.proved == 0 && syn.retried >= 1, "it got in in another way: {syn:?}");
    Ok(())
}

#[test]
fn an_explanation_says_who_would_be_asked() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "always")?;
    let (client, target) = (besieged.family.host(9, 1).to_string(), besieged.target(WEB_PORT).to_string());
    let explain = || besieged.sluice.json::<Explanation>(&["explain", "--from", &client, "--to", &target]);
    let stranger = explain()?;
    ensure!(stranger.outcome.starts_with("answered here: SYN protection asks"), "{stranger:?}");
    besieged.ask()?;
    let known = explain()?;
    ensure!(known.outcome.starts_with("forwarded to the backend"), "{known:?}");
    ensure!(known.steps.iter().any(|step| step.finding == "its source has proved itself"), "{known:?}");
    Ok(())
}

#[test]
fn a_client_whose_resets_are_filtered_gets_in_when_it_tries_again() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "always")?;
    filter_resets(&besieged.site.client)?;
    let _flood = besieged.flood()?;
    for tries in 1..=3 {
        let took = besieged.ask()?;
        let syn = besieged.syn()?;
        ensure!(took >= Duration::from_millis(900), "it got in at once: {took:?}, {syn:?}");
        ensure!((syn.retried, syn.proved) == (tries, 0), "it got in in another way: {syn:?}");
    }
    Ok(())
}

#[test]
fn who_only_monitors_counts_and_says_what_would_be() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "monitor")?;
    let flood = besieged.flood()?;
    besieged.await_active(true)?;
    besieged.ask()?;
    let syn = besieged.syn()?;
    ensure!(syn.proved + syn.retried + syn.unanswered + syn.limited == 0, "nothing was done: {syn:?}");
    until("what would be asked is counted", PATIENCE, || besieged.syn().ok().filter(|syn| syn.challenged > 100))?;
    let log = besieged.log()?;
    ensure!(log.contains("a flood of SYNs: SYN protection would begin"), "{log}");
    let shown = besieged.sluice.succeed(&["services", "web"])?;
    ensure!(shown.contains("monitor, would be active"), "{shown}");
    flood.stop()?;
    besieged.await_active(false)
}

#[test]
fn a_service_without_protection_is_left_alone() -> anyhow::Result<()> {
    let besieged = Besieged::start("l2", Family::V4, "off")?;
    let flood = besieged.flood()?;
    let service = || besieged.sluice.json::<ServiceStatus>(&["services", "web"]);
    until("the flood should reach the backends", PATIENCE, || {
        service().ok().filter(|service| service.traffic.flows > 2000)
    })?;
    ensure!(besieged.syn()? == SynStatus { mode: "off".to_owned(), ..SynStatus::default() });
    flood.stop().map(drop)
}
