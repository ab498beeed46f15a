//! Every verb against a real daemon: what it says, what the file holds then, and what becomes of packets.

use std::{collections::BTreeSet, fs, net::SocketAddr, time::Duration};

use anyhow::Context;
use lb_userspace::{
    api::types::{
        ApiError, BackendState, BackendStatus, Changed, Drops, Interface, List, ListTest, ServiceStatus, Status,
    },
    model::Protocol,
};
use serde::de::DeserializeOwned;
use tests::{
    lab::{Family, Namespace, Nginx, NginxOptions, Site, Sluice, Steering, curl, node_section, service_section, until},
    traffic::{Report, UdpEcho, UdpOptions, ask_udp},
};

const PATIENCE: Duration = Duration::from_secs(10);

fn dns() -> SocketAddr {
    (Family::V4.service(), 53).into()
}

/// Three servers that echo datagrams, delivered by `l2`.
struct Running {
    sluice: Sluice,
    _echo: Vec<UdpEcho>,
    site: Site,
}

fn dns_section(site: &Site) -> String {
    let settings = "# What they ask for names.\naddress = \"192.0.2.80\" # anycast\nport = 53\nprotocol = \"udp\"\ndelivery = \"l2\"";
    service_section("dns", settings, &site.backends(Family::V4))
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let site = Site::new(3)?;
        for host in &site.servers {
            host.own(dns().ip())?;
        }
        let echo =
            site.servers.iter().map(|host| UdpEcho::start(host, host.name(), dns())).collect::<Result<_, _>>()?;
        let sluice = Sluice::start(&site.node, &(node_section(&["eth0"]) + &dns_section(&site)))?;
        sluice.await_ready()?;
        Ok(Self { sluice, _echo: echo, site })
    }

    /// Asks with some flows; each is answered or denied.
    fn ask(&self) -> anyhow::Result<Report> {
        ask(&self.site.client)
    }

    fn state(&self, backend: &str) -> anyhow::Result<BackendStatus> {
        let found = self.sluice.backends("dns")?.into_iter().find(|status| status.name == backend);
        found.with_context(|| format!("`sluice backends` does not show {backend}"))
    }

    fn file(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.sluice.configuration())?)
    }

    /// Where flows go.
    fn steering(&self) -> anyhow::Result<Steering> {
        Steering::read(self.sluice.pins())
    }

    /// Runs a command that must be refused as the operator's mistake; returns what it says.
    fn refused(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.sluice.cli(arguments)?;
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{arguments:?}: {}", answer.stderr);
        Ok(answer.stderr)
    }
}

fn ask(client: &Namespace) -> anyhow::Result<Report> {
    ask_udp(client, dns(), UdpOptions { flows: 60, timeout: Duration::from_millis(300), ..UdpOptions::default() })
}

/// Asks with few flows, none of which must be answered.
fn assert_denied(client: &Namespace) -> anyhow::Result<()> {
    let options = UdpOptions { flows: 3, timeout: Duration::from_millis(100), ..UdpOptions::default() };
    let report = ask_udp(client, dns(), options)?;
    assert_eq!((report.answered(), report.failed()), (0, 3), "{report:?}");
    Ok(())
}

#[track_caller]
fn assert_answered_by(report: &Report, backends: &[&str]) {
    assert_eq!(report.failed(), 0, "{}", report.reasons());
    assert_eq!(report.answers.keys().map(String::as_str).collect::<Vec<_>>(), backends);
}

/// The web servers that answer a few dozen connections, each a new flow. Datagrams would not do: they have no opening
/// packet, so for half a minute after a change all of them are taken for old flows.
fn who_answers(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let url = format!("http://{}/", dns().ip());
    (0..80).map(|_| Ok(curl(&site.client, &url, &[])?.trim().to_owned())).collect()
}

#[test]
fn backends_are_removed_added_drained_and_weighted() -> anyhow::Result<()> {
    let running = Running::start()?;
    let (sluice, site) = (&running.sluice, &running.site);
    let start = |host: &Namespace| Nginx::start(host, host.name(), NginxOptions::default());
    let _webs = site.servers.iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
    let settings = "address = \"192.0.2.80\"\nport = 80\nprotocol = \"tcp\"\ndelivery = \"l2\"";
    let section = node_section(&["eth0"]) + &service_section("web", settings, &site.backends(Family::V4));
    fs::write(sluice.configuration(), section)?;
    sluice.succeed(&["apply"])?;
    let state = |name: &str| -> anyhow::Result<BackendStatus> {
        sluice.backends("web")?.into_iter().find(|status| status.name == name).context("no such backend")
    };
    let answered_by = |names: &[&str]| -> anyhow::Result<()> {
        assert_eq!(who_answers(site)?, names.iter().copied().map(str::to_owned).collect());
        Ok(())
    };
    answered_by(&["web1", "web2", "web3"])?;

    let said = sluice.succeed(&["backend", "remove", "web", "web3"])?;
    assert!(said.contains("web3") && said.contains("Done in"), "{said}");
    assert!(!running.file()?.contains("web3"));
    answered_by(&["web1", "web2"])?;

    sluice.succeed(&["backend", "add", "web", "10.9.0.13", "--name", "web3", "--weight", "50"])?;
    assert!(running.file()?.contains("web3"));
    assert!((state("web3")?.share - 0.2).abs() < 0.01);
    answered_by(&["web1", "web2", "web3"])?;

    sluice.succeed(&["backend", "drain", "web", "web2"])?;
    assert!(running.file()?.contains("drain"));
    let web2 = state("web2")?;
    assert_eq!((web2.state, web2.share), (BackendState::Draining, 0.0));
    answered_by(&["web1", "web3"])?;

    sluice.succeed(&["backend", "undrain", "web", "10.9.0.12"])?;
    assert_eq!(state("web2")?.state, BackendState::Up);
    sluice.succeed(&["backend", "weight", "web", "web1", "0"])?;
    assert_eq!(state("web1")?.share, 0.0);
    answered_by(&["web2", "web3"])?;

    let said = sluice.succeed(&["backend", "weight", "web", "web1", "0"])?;
    assert!(said.contains("Nothing to do"), "{said}");
    Ok(())
}

#[test]
fn commands_that_cannot_be_change_nothing_and_say_why() -> anyhow::Result<()> {
    let running = Running::start()?;
    let before = (running.steering()?, running.file()?);
    for (arguments, words) in [
        (&["backend", "drain", "dns", "web9"][..], &["web9", "web1"][..]),
        (&["backend", "drain", "dsn", "web1"], &["dsn", "did you mean `dns`?"]),
        (&["backend", "add", "dns", "10.9.0.11", "--name", "web4"], &["10.9.0.11", "web1"]),
        (&["backend", "add", "dns", "2001:db8::1"], &["IPv6", "ipip"]),
        (&["backend", "add", "dns", "10.9.0.99", "--port", "54"], &["port", "nat"]),
        (&["backend", "weight", "dns", "web1", "1001"], &["1001", "0..=1000"]),
        (&["deny", "add", "10.9.0.0/33"], &["10.9.0.0/33"]),
        (&["deny", "add", "10.9.0.1/24"], &["10.9.0.1/24", "10.9.0.0/24"]),
        (&["deny", "remove", "10.9.0.1"], &["10.9.0.1"]),
        (&["attach", "eth7"], &["eth7", "eth0"]),
        (&["detach", "eth7"], &["eth7", "eth0"]),
        (&["services", "web"], &["web", "dns"]),
        (&["frobnicate"], &["frobnicate"]),
    ] {
        let said = running.refused(arguments)?;
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
    }
    assert!((running.steering()?, running.file()?) == before);
    assert_answered_by(&running.ask()?, &["web1", "web2", "web3"]);
    Ok(())
}

#[test]
fn lists_deny_and_allow() -> anyhow::Result<()> {
    let running = Running::start()?;
    let (sluice, client) = (&running.sluice, &running.site.client);
    assert!(sluice.succeed(&["drops"])?.contains("Nothing was dropped"));

    sluice.succeed(&["deny", "add", "10.9.0.0/31", "2001:db8:bad::/48"])?;
    assert_denied(client)?;
    let list: List = sluice.json(&["deny", "list"])?;
    let drops: Drops = sluice.json(&["drops"])?;
    let prefixes: Vec<&str> = list.entries.iter().map(|entry| entry.prefix.as_str()).collect();
    assert_eq!(prefixes, ["10.9.0.0/31", "2001:db8:bad::/48"]);
    assert_eq!((list.packets, drops.reasons["denied"].packets), (3, 3));
    assert!(sluice.succeed(&["drops"])?.contains("denied"));
    let test = |address: &str| sluice.json::<ListTest>(&["deny", "test", address]);
    assert_eq!(test("10.9.0.1")?.outcome, "denied by 10.9.0.0/31");
    assert_eq!(test("10.9.0.4")?.matched, None);
    assert_eq!(test("2001:db8:bad::1")?.matched.as_deref(), Some("2001:db8:bad::/48"));

    sluice.succeed(&["allow", "add", "10.9.0.1"])?;
    assert_eq!(running.ask()?.failed(), 0);
    assert_eq!(test("10.9.0.1")?.outcome, "allowed by 10.9.0.1/32");
    assert!(running.file()?.contains("10.9.0.1"));
    sluice.succeed(&["allow", "remove", "10.9.0.1"])?;
    assert_denied(client)?;
    sluice.succeed(&["deny", "remove", "10.9.0.0/31", "2001:db8:bad::/48"])?;
    assert_eq!(running.ask()?.failed(), 0);
    assert_eq!(sluice.json::<List>(&["deny", "list"])?.prefixes, 0);
    Ok(())
}

#[test]
fn denied_sources_reach_nothing_behind_the_interface() -> anyhow::Result<()> {
    let running = Running::start()?;
    let node: SocketAddr = (Family::V6.host(9, 2), 7).into();
    let _echo = UdpEcho::start(&running.site.node, "node", node)?;
    let ask = || {
        let options = UdpOptions { flows: 2, timeout: Duration::from_millis(200), ..UdpOptions::default() };
        anyhow::Ok(ask_udp(&running.site.client, node, options)?.answered())
    };
    assert_eq!(ask()?, 2);
    running.sluice.succeed(&["deny", "add", &Family::V6.host(9, 1).to_string()])?;
    assert_eq!(ask()?, 0);
    Ok(())
}

#[test]
fn a_second_interface_is_attached_and_detached() -> anyhow::Result<()> {
    let running = Running::start()?;
    let Site { node, switch, .. } = &running.site;
    // Both interfaces are on the same network: each must answer for its own address alone.
    node.set("ipv4/conf/all/arp_ignore", "1")?;
    switch.attach(node, "eth1", &["10.9.0.3/24"])?;
    let other = switch.host("other", &["10.9.0.4/24"])?;
    other.ip("route add 192.0.2.80 via 10.9.0.3")?;
    node.ip("address add 192.0.2.80 dev lo")?;
    let _kernel = UdpEcho::start(node, "kernel", dns())?;
    assert_answered_by(&ask(&other)?, &["kernel"]);

    running.sluice.succeed(&["attach", "eth1"])?;
    let status: Status = running.sluice.json(&["status"])?;
    let native = |name: &str| Interface { name: name.to_owned(), mode: "native".to_owned() };
    assert_eq!(status.interfaces, [native("eth0"), native("eth1")]);
    assert!(running.file()?.contains("\"eth0\", \"eth1\""));
    assert_answered_by(&ask(&other)?, &["web1", "web2", "web3"]);
    assert_answered_by(&running.ask()?, &["web1", "web2", "web3"]);

    running.sluice.succeed(&["detach", "eth1"])?;
    assert_answered_by(&ask(&other)?, &["kernel"]);
    assert_answered_by(&running.ask()?, &["web1", "web2", "web3"]);
    Ok(())
}

#[test]
fn a_whole_file_is_applied_or_nothing_of_it() -> anyhow::Result<()> {
    let running = Running::start()?;
    let folder = tempfile::tempdir()?;
    let new = folder.path().join("new.toml");
    let path = new.to_str().context("a path that is not UTF-8")?;
    let before = (running.steering()?, running.file()?);

    fs::write(
        &new,
        "[node]\ninterfaces = [\"eth0\"]\ncolour = \"red\"\n\n[[service]]\nname = \"dns\"\naddress = \"192.0.2.80\"\n\
         port = \"many\"\ndelivery = \"l2\"\n\n[[service.backend]]\naddress = \"fd09::11\"\nweight = 2000\n",
    )?;
    let said = running.refused(&["apply", path])?;
    for words in ["colour", "many", "fd09::11", "2000", "3:1", "8:8"] {
        assert!(said.contains(words), "no {words} in: {said}");
    }
    assert!((running.steering()?, running.file()?) == before);

    fs::write(&new, node_section(&["eth0", "eth7"]) + &dns_section(&running.site))?;
    let said = running.refused(&["apply", path])?;
    assert!(said.contains("eth7") && said.contains("eth0"), "{said}");
    assert!((running.steering()?, running.file()?) == before);
    let missing = running.refused(&["apply", "/nowhere/new.toml"])?;
    assert!(missing.contains("/nowhere/new.toml"), "{missing}");

    let two = dns_section(&running.site).replace("web3", "other3");
    fs::write(&new, node_section(&["eth0"]) + &two)?;
    let changed: Changed = running.sluice.json(&["apply", path])?;
    assert_eq!(changed.changes, ["added backend other3 to service dns", "removed backend web3 from service dns"]);
    assert_eq!(running.file()?, fs::read_to_string(&new)?);
    assert_eq!(running.state("other3")?.state, BackendState::Up);
    assert_eq!(running.ask()?.failed(), 0);
    Ok(())
}

#[test]
fn the_file_is_read_again_on_a_signal_and_on_apply() -> anyhow::Result<()> {
    let running = Running::start()?;
    let drained = running.file()?.replace("name = \"web1\"", "name = \"web1\"\nstate = \"drain\"");
    fs::write(running.sluice.configuration(), &drained)?;
    running.sluice.reload()?;
    running.sluice.await_state("dns", "web1", BackendState::Draining)?;

    let steering = running.steering()?;
    fs::write(running.sluice.configuration(), drained.replace("udp", "sctp"))?;
    running.sluice.reload()?;
    let log = || fs::read_to_string(running.sluice.configuration().with_file_name("log")).unwrap_or_default();
    until("the log should say what is wrong", PATIENCE, || log().contains("sctp").then_some(()))?;
    assert!(running.steering()? == steering);
    let said = running.refused(&["backend", "drain", "dns", "web2"])?;
    assert!(said.contains("was changed since the daemon read it"), "{said}");

    fs::write(running.sluice.configuration(), drained.replace("state = \"drain\"", ""))?;
    running.sluice.succeed(&["apply"])?;
    assert_eq!(running.state("web1")?.state, BackendState::Up);
    assert!(running.sluice.succeed(&["apply"])?.contains("Nothing to do"));
    Ok(())
}

#[test]
fn ephemeral_changes_stay_out_of_the_file() -> anyhow::Result<()> {
    let mut running = Running::start()?;
    let before = running.file()?;
    running.sluice.succeed(&["backend", "weight", "dns", "web1", "0", "--ephemeral"])?;
    running.sluice.succeed(&["deny", "add", "203.0.113.7", "--ephemeral"])?;
    assert_eq!(running.state("web1")?.weight, 0);
    assert_eq!(running.file()?, before);
    assert!(running.sluice.json::<Status>(&["status"])?.ephemeral_changes);
    assert!(running.sluice.succeed(&["status"])?.contains("ephemeral"));

    // A lasting change does not take them along.
    running.sluice.succeed(&["backend", "drain", "dns", "web2"])?;
    assert_eq!((running.state("web1")?.weight, running.state("web2")?.state), (0, BackendState::Draining));
    let file = running.file()?;
    assert!(file.contains("drain") && !file.contains("weight") && !file.contains("203.0.113.7"), "{file}");

    // What is so already can still be made to last.
    running.sluice.succeed(&["backend", "weight", "dns", "web1", "0"])?;
    assert!(running.file()?.contains("weight = 0"));

    running.sluice.stop()?;
    running.sluice.restart()?;
    assert_eq!(running.sluice.json::<List>(&["deny", "list"])?.prefixes, 0);
    assert_eq!((running.state("web1")?.weight, running.state("web2")?.state), (0, BackendState::Draining));
    assert!(!running.sluice.json::<Status>(&["status"])?.ephemeral_changes);
    Ok(())
}

#[test]
fn comments_survive_commands() -> anyhow::Result<()> {
    let running = Running::start()?;
    running.sluice.succeed(&["backend", "weight", "dns", "web1", "50"])?;
    running.sluice.succeed(&["backend", "drain", "dns", "web2"])?;
    running.sluice.succeed(&["deny", "add", "203.0.113.0/24"])?;
    let file = running.file()?;
    for comment in ["# What they ask for names.", "# anycast"] {
        assert!(file.contains(comment), "{file}");
    }
    Ok(())
}

#[test]
fn everything_speaks_json() -> anyhow::Result<()> {
    let running = Running::start()?;
    let sluice = &running.sluice;
    fn speaks<T: DeserializeOwned>(sluice: &Sluice, arguments: &[&str]) -> anyhow::Result<()> {
        sluice.json::<T>(arguments).map(drop)
    }
    speaks::<Status>(sluice, &["status"])?;
    speaks::<Vec<ServiceStatus>>(sluice, &["services"])?;
    speaks::<ServiceStatus>(sluice, &["services", "dns"])?;
    speaks::<Vec<BackendStatus>>(sluice, &["backends"])?;
    speaks::<Drops>(sluice, &["drops"])?;
    for list in ["deny", "allow"] {
        speaks::<Changed>(sluice, &[list, "add", "203.0.113.7"])?;
        speaks::<List>(sluice, &[list, "list"])?;
        speaks::<ListTest>(sluice, &[list, "test", "203.0.113.7"])?;
        speaks::<Changed>(sluice, &[list, "remove", "203.0.113.7"])?;
    }
    speaks::<Changed>(sluice, &["backend", "add", "dns", "10.9.0.99"])?;
    speaks::<Changed>(sluice, &["backend", "drain", "dns", "10.9.0.99"])?;
    speaks::<Changed>(sluice, &["backend", "undrain", "dns", "10.9.0.99"])?;
    speaks::<Changed>(sluice, &["backend", "weight", "dns", "10.9.0.99", "7"])?;
    speaks::<Changed>(sluice, &["backend", "remove", "dns", "10.9.0.99"])?;
    speaks::<Changed>(sluice, &["apply"])?;
    let file = sluice.configuration();
    speaks::<serde_json::Value>(sluice, &["check", file.to_str().context("a path that is not UTF-8")?])?;
    let error: ApiError = serde_json::from_str(&running.refused(&["--json", "services", "web"])?)?;
    assert!(error.usage && error.error.contains("dns"), "{error:?}");
    Ok(())
}

/// Prints what the change of a service with a hundred backends takes; asserts only that it is done when it says so.
#[test]
fn a_change_is_in_the_kernel_when_the_command_returns() -> anyhow::Result<()> {
    let site = Site::new(1)?;
    let backends: Vec<_> = (11..111).map(|host| (format!("web{host}"), Family::V4.host(9, host))).collect();
    for (_, address) in &backends[1..] {
        site.servers[0].ip(&format!("address add {address}/24 dev eth0"))?;
    }
    let settings =
        "address = \"192.0.2.80\"\nport = 53\nprotocol = \"udp\"\ndelivery = \"l2\"\nring = { rows = 16384 }";
    let configuration = node_section(&["eth0"]) + &service_section("dns", settings, &backends);
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;

    let slots = || Steering::read(sluice.pins())?.slots(dns(), Protocol::Udp);
    let mut took_us = Vec::new();
    let mut before = slots()?;
    for (backend, _) in backends.iter().take(9) {
        let changed: Changed = sluice.json(&["backend", "weight", "dns", backend, "50"])?;
        let after = slots()?;
        assert_ne!(after, before, "the kernel does not hold the weight of {backend}");
        before = after;
        took_us.push(changed.microseconds);
    }
    took_us.sort_unstable();
    println!("a change of 100 backends and 16384 rows took {} µs (median of {})", took_us[4], took_us.len());
    Ok(())
}
