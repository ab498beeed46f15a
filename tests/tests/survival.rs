//! Forwarding outlives the daemon, and only detaching ends it.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::Context;
use lb_userspace::api::types::{BackendState, Drops, ServiceStatus};
use tests::{
    lab::{Agent, Family, Namespace, Site, Sluice, Steering, node_section, service_section, until},
    traffic::{Direction, Report, Transfer, TransferOptions, TransferServer, UdpEcho, UdpOptions, ask_udp},
};

const PATIENCE: Duration = Duration::from_secs(20);
const BULK_PORT: u16 = 9000;
const DNS_PORT: u16 = 53;

/// A site whose servers echo datagrams and, all but the last, serve transfers; the last one is down.
struct Running {
    sluice: Sluice,
    _bulk: Vec<TransferServer>,
    _echo: Vec<UdpEcho>,
    _agents: Vec<Agent>,
    site: Site,
}

fn bulk() -> SocketAddr {
    (Family::V4.service(), BULK_PORT).into()
}

fn dns() -> SocketAddr {
    (Family::V4.service(), DNS_PORT).into()
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let site = Site::new(3)?;
        let address = Family::V4.service();
        let agents =
            site.servers.iter().map(|host| Agent::start(host, "eth0", &[address])).collect::<Result<_, _>>()?;
        let echo =
            site.servers.iter().map(|host| UdpEcho::start(host, host.name(), dns())).collect::<Result<_, _>>()?;
        let serving = &site.servers[..2];
        let bulk =
            serving.iter().map(|host| TransferServer::start(host, host.name(), BULK_PORT)).collect::<Result<_, _>>()?;
        let backends = site.backends(Family::V4);
        let check = "health = { type = \"tcp\", interval = \"200ms\", fall = 2, rise = 2 }";
        let settings = |port: u16, protocol: &str, more: &str| {
            format!("address = \"{address}\"\nport = {port}\nprotocol = \"{protocol}\"\ndelivery = \"ipip\"\n{more}")
        };
        let configuration = [
            node_section(&["eth0"]),
            service_section("bulk", &settings(BULK_PORT, "tcp", check), &backends),
            service_section("dns", &settings(DNS_PORT, "udp", ""), &backends),
        ];
        let sluice = Sluice::start(&site.node, &configuration.concat())?;
        let running = Self { sluice, _bulk: bulk, _echo: echo, _agents: agents, site };
        running.await_states()?;
        Ok(running)
    }

    /// Waits for what the checks must find.
    fn await_states(&self) -> anyhow::Result<()> {
        self.sluice.await_state("bulk", "web1", BackendState::Up)?;
        self.sluice.await_state("bulk", "web2", BackendState::Up)?;
        self.sluice.await_state("bulk", "web3", BackendState::Down)
    }

    /// A transfer of some seconds.
    fn transfer(&self, direction: Direction) -> anyhow::Result<Transfer> {
        let options = TransferOptions { direction, size_bytes: 3_000_000, rate_bytes_per_second: Some(1_000_000) };
        let transfer = Transfer::start(&self.site.client, bulk(), options)?;
        until("a transfer should be under way", PATIENCE, || (transfer.moved_bytes() > 0).then_some(()))?;
        Ok(transfer)
    }

    /// A short transfer that must succeed, now.
    fn connect(&self) -> anyhow::Result<()> {
        let options =
            TransferOptions { direction: Direction::Download, size_bytes: 10_000, rate_bytes_per_second: None };
        Transfer::start(&self.site.client, bulk(), options)?.finish(PATIENCE)
    }

    /// The number of the program on the node's interface.
    fn program(&self) -> anyhow::Result<String> {
        let shown = self.site.node.ip("link show eth0")?;
        let number = shown.split("prog/xdp id ").nth(1).and_then(|rest| rest.split(' ').next());
        number.map(str::to_owned).with_context(|| format!("no program on eth0: {shown}"))
    }
}

/// Sends datagrams one after the other while something happens; none may be lost.
fn while_asking<T>(client: &Namespace, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Report)> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| -> anyhow::Result<Report> {
            let mut report = Report::default();
            while !done.load(Ordering::Relaxed) {
                report.add(&ask_udp(client, dns(), UdpOptions { flows: 20, ..UdpOptions::default() })?);
            }
            Ok(report)
        });
        let outcome = act();
        done.store(true, Ordering::Relaxed);
        let report = asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((outcome?, report))
    })
}

/// Asks once; who answers is the sign of who handles the packets.
fn answers(client: &Namespace) -> anyhow::Result<Report> {
    ask_udp(client, dns(), UdpOptions { flows: 20, ..UdpOptions::default() })
}

#[test]
fn a_killed_daemon_breaks_nothing_and_the_next_one_takes_over() -> anyhow::Result<()> {
    let mut running = Running::start()?;
    let mut transfers = Vec::new();
    for direction in [Direction::Download, Direction::Upload, Direction::Download, Direction::Upload] {
        transfers.push(running.transfer(direction)?);
    }
    let before: ServiceStatus = running.sluice.json(&["services", "bulk"])?;
    let steering = Steering::read(running.sluice.pins())?;
    let program = running.program()?;

    running.sluice.kill9();
    for _ in 0..20 {
        running.connect().context("while no daemon runs")?;
    }
    running.sluice.restart()?;
    running.connect().context("after the take-over")?;

    assert!(Steering::read(running.sluice.pins())? == steering, "rows moved");
    assert_ne!(running.program()?, program, "the program is the former daemon's");
    let after: ServiceStatus = running.sluice.json(&["services", "bulk"])?;
    assert!(after.traffic.flows >= before.traffic.flows + 21, "{} after {}", after.traffic.flows, before.traffic.flows);
    running.await_states()?;
    assert!(Steering::read(running.sluice.pins())? == steering, "rows moved when the checks began again");
    for transfer in transfers {
        transfer.finish(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn a_daemon_that_stops_and_starts_loses_no_packet() -> anyhow::Result<()> {
    let mut running = Running::start()?;
    let transfers = [running.transfer(Direction::Download)?, running.transfer(Direction::Upload)?];
    let steering = Steering::read(running.sluice.pins())?;
    let client = running.site.client.clone();
    let (programs, report) = while_asking(&client, || {
        let mut programs = vec![running.program()?];
        for _ in 0..4 {
            running.sluice.stop()?;
            running.sluice.restart()?;
            programs.push(running.program()?);
        }
        Ok(programs)
    })?;
    assert!(programs.windows(2).all(|pair| pair[0] != pair[1]), "not replaced: {programs:?}");
    assert!(report.answered() > 100, "{report:?}");
    assert_eq!(report.failed(), 0, "{} of {}", report.reasons(), report.requests());
    assert!(Steering::read(running.sluice.pins())? == steering, "rows moved");
    for transfer in transfers {
        transfer.finish(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn the_next_daemon_keeps_the_ways_although_the_kernel_has_forgotten_the_neighbours() -> anyhow::Result<()> {
    let mut running = Running::start()?;
    let client = running.site.client.clone();
    let ((), report) = while_asking(&client, || {
        running.sluice.kill9();
        running.site.node.ip("neighbour flush dev eth0")?;
        running.sluice.restart()
    })?;
    assert_eq!(report.failed(), 0, "{} of {}", report.reasons(), report.requests());
    let drops: Drops = running.sluice.json(&["drops"])?;
    assert_eq!(drops.reasons["next_hop_unresolved"].packets, 0);
    running.sluice.await_state("bulk", "web1", BackendState::Up)
}

/// Packets reach the node's own network stack, where something else answers, once Sluice no longer takes them.
fn detaching_ends_forwarding(prepare: impl FnOnce(&mut Sluice) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut running = Running::start()?;
    running.site.node.ip(&format!("address add {} dev lo", dns().ip()))?;
    let _kernel = UdpEcho::start(&running.site.node, "kernel", dns())?;
    let client = running.site.client.clone();
    prepare(&mut running.sluice)?;
    assert_eq!(answers(&client)?.share("kernel"), 0.0);

    let pins = running.sluice.pins().to_owned();
    let folder = pins.to_str().context("a path that is not UTF-8")?;
    let said = running.sluice.succeed(&["detach", "--all", "--pins", folder])?;
    assert!(said.contains("Detached from eth0"), "{said}");
    let report = answers(&client)?;
    assert_eq!((report.share("kernel"), report.failed()), (1.0, 0), "{report:?}");
    assert!(running.program().is_err(), "the program is still there");
    assert!(!pins.exists(), "{} is still there", pins.display());
    Ok(())
}

#[test]
fn detaching_ends_forwarding_when_no_daemon_runs() -> anyhow::Result<()> {
    detaching_ends_forwarding(|sluice| {
        sluice.kill9();
        Ok(())
    })
}

#[test]
fn detaching_ends_forwarding_while_a_daemon_runs() -> anyhow::Result<()> {
    detaching_ends_forwarding(|_| Ok(()))
}

#[test]
fn detaching_ends_forwarding_while_a_daemon_runs_that_took_over() -> anyhow::Result<()> {
    detaching_ends_forwarding(|sluice| {
        sluice.kill9();
        sluice.restart()
    })
}
