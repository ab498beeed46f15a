//! Seeing and explaining drops, with a real client.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    os::unix::process::ExitStatusExt,
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use aya::maps::{Array, Map, MapData};
use lb_common::{Features, LAYOUT_VERSION, Settings};
use lb_userspace::{
    api::types::{BackendStatus, DropEvent, Drops, Explanation, TopDrops},
    dataplane::Plain,
};
use nix::{
    sys::signal::Signal,
    time::{ClockId, clock_gettime},
};
use tests::lab::{Family, Process, Site, Sluice, node_section, service_section, sluice_binary, until};

const PATIENCE: Duration = Duration::from_secs(20);

/// The most that the datapath records in a second, and for how long it goes on without the daemon.
const SAMPLES_PER_SECOND: u64 = 1000;
const LEASE: Duration = Duration::from_secs(10);

struct Running {
    sluice: Sluice,
    site: Site,
}

impl Running {
    fn start(servers: usize) -> anyhow::Result<Self> {
        let site = Site::new(servers)?;
        let mut text = node_section(&["eth0"]);
        for (family, name) in [(Family::V4, "web"), (Family::V6, "web6")] {
            let settings =
                format!("address = \"{}\"\nport = 53\nprotocol = \"udp\"\ndelivery = \"l2\"", family.service());
            text += &service_section(name, &settings, &site.backends(family));
        }
        let sluice = Sluice::start(&site.node, &text)?;
        sluice.await_ready()?;
        Ok(Self { sluice, site })
    }

    /// Sends datagrams from a port of the client's to the service.
    fn send(&self, family: Family, port: u16, count: usize) -> anyhow::Result<()> {
        let (client, service) = (family.host(9, 1), SocketAddr::new(family.service(), 53));
        self.site.client.enter(|| -> std::io::Result<()> {
            let socket = UdpSocket::bind((client, port))?;
            for _ in 0..count {
                // A full queue loses a datagram here and there, which is no matter.
                let _ = socket.send_to(&[0; 32], service);
            }
            Ok(())
        })??;
        Ok(())
    }

    fn denied(&self) -> anyhow::Result<u64> {
        Ok(self.sluice.json::<Drops>(&["drops"])?.reasons["denied"].packets)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        settings(self.sluice.pins())
    }

    fn is_recording(&self) -> anyhow::Result<bool> {
        Ok(self.settings()?.features & Features::SAMPLE != 0)
    }

    /// Somebody who follows; returns when the datapath records.
    fn follow(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let follower = self.sluice.spawn(name, &[&["--json", "drops", "--follow"], arguments].concat())?;
        until("drops should be recorded", PATIENCE, || self.is_recording().ok().filter(|is| *is))?;
        Ok(follower)
    }
}

/// What the datapath reads, whoever wrote it.
fn settings(pins: &Path) -> anyhow::Result<Settings> {
    let map = MapData::from_pin(pins.join(format!("v{LAYOUT_VERSION}")).join("settings"))?;
    let settings: Array<_, Plain<Settings>> = Array::try_from(Map::Array(map))?;
    Ok(settings.get(&0, 0)?.0)
}

fn events(follower: &Process) -> Vec<DropEvent> {
    follower.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn first_event(follower: &mut Process) -> anyhow::Result<DropEvent> {
    until("a drop should be shown", PATIENCE, || events(follower).into_iter().next())
}

#[test]
fn a_denied_client_is_seen_and_nothing_is_recorded_afterwards() -> anyhow::Result<()> {
    let running = Running::start(1)?;
    assert!(!running.is_recording()?, "drops are recorded although nobody looks");
    for (family, name) in [(Family::V4, "web"), (Family::V6, "web6")] {
        let client = family.host(9, 1).to_string();
        // A denied client can no longer ask for the node's MAC address by IPv6, so it learns it before.
        running.send(family, 3999, 1)?;
        until("a datagram should be forwarded", PATIENCE, || {
            let backends = running.sluice.backends(name).ok()?;
            backends.iter().any(|backend| backend.traffic.packets > 0).then_some(())
        })?;
        running.sluice.succeed(&["deny", "add", &client])?;
        let mut follower = running.follow(name, &["--reason", "denied", "--source", &client, "--service", name])?;
        running.send(family, 4000, 1)?;
        let event = first_event(&mut follower)?;
        assert_eq!(
            (event.reason.as_str(), event.interface.as_str(), event.protocol.as_str()),
            ("denied", "eth0", "udp")
        );
        assert_eq!((event.source, event.source_port), (family.host(9, 1), Some(4000)));
        assert_eq!((event.destination, event.destination_port), (family.service(), Some(53)));
        assert_eq!((event.service.as_deref(), event.drops, event.missed), (Some(name), 1, 0));
        let headers = if family == Family::V4 { 14 + 20 + 8 } else { 14 + 40 + 8 };
        assert_eq!(event.frame_bytes, headers + 32);

        follower.signal(Signal::SIGINT)?;
        let ended = until("Ctrl-C should end it", PATIENCE, || follower.exited())?;
        assert_eq!((ended.code(), ended.signal()), (Some(0), None), "{}", follower.output());
        until("recording should end", PATIENCE, || running.is_recording().ok().filter(|is| !*is))?;
    }
    Ok(())
}

#[test]
fn who_is_behind_most_drops_is_named_with_what_to_do() -> anyhow::Result<()> {
    let running = Running::start(1)?;
    let client = Family::V4.host(9, 1).to_string();
    running.sluice.succeed(&["deny", "add", &client])?;
    let nothing: TopDrops = running.sluice.json(&["drops", "--top"])?;
    assert_eq!((nothing.drops, nothing.entries.len()), (0, 0));
    running.send(Family::V4, 4000, 20)?;
    let top = |by: &str| running.sluice.json::<TopDrops>(&["drops", "--top", "3", "--by", by]);
    until("the drops should be counted", PATIENCE, || top("source").ok().filter(|top| top.drops == 20))?;
    for (by, key) in [("source", client.as_str()), ("prefix", "10.9.0.0/24"), ("port", "53/udp"), ("reason", "denied")]
    {
        let top = top(by)?;
        let [only] = &top.entries[..] else { panic!("{by}: {top:?}") };
        assert_eq!((only.key.as_str(), only.drops, only.plus_minus), (key, 20, 0), "{by}");
    }
    let explained = running.sluice.succeed(&["drops", "denied"])?;
    assert!(explained.contains("20, ") && explained.contains("sluice deny test ADDRESS"), "{explained}");
    Ok(())
}

#[test]
fn a_flood_does_not_exceed_the_budget() -> anyhow::Result<()> {
    let running = Running::start(1)?;
    running.sluice.succeed(&["deny", "add", &Family::V4.host(9, 1).to_string()])?;
    let follower = running.follow("follower", &[])?;
    let begin = std::time::Instant::now();
    running.send(Family::V4, 4000, 300_000)?;
    let seconds = begin.elapsed().as_secs_f64();
    let dropped = running.denied()?;
    assert!(dropped as f64 > 4.0 * SAMPLES_PER_SECOND as f64 * seconds, "{dropped} drops in {seconds} s are no flood");
    // What is left in the buffers.
    thread::sleep(Duration::from_secs(1));
    let events = events(&follower);
    let budget = (SAMPLES_PER_SECOND as f64 * (seconds + 0.3)) as usize;
    assert!((10..=budget).contains(&events.len()), "{} of {dropped} drops recorded in {seconds} s", events.len());
    let stood_for: u64 = events.iter().map(|event| event.drops).sum();
    let missed: u64 = events.iter().map(|event| event.missed).sum();
    assert_eq!(missed, 0);
    // Those behind the last record stand for nothing.
    assert!(stood_for <= dropped && stood_for > dropped / 10 * 8, "{stood_for} of {dropped}");
    Ok(())
}

#[test]
fn a_lease_ends_with_the_daemon() -> anyhow::Result<()> {
    let mut running = Running::start(1)?;
    let mut follower = running.follow("first", &[])?;
    running.sluice.kill9();
    let ended = until("the follower should end", PATIENCE, || follower.exited())?;
    assert_eq!(ended.code(), Some(1));
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map(Duration::from)?;
    let left = Duration::from_nanos(running.settings()?.sample_until_ns).saturating_sub(now);
    assert!(left <= LEASE, "drops are recorded for {left:?} more");
    running.sluice.restart()?;
    until("the next daemon should end recording", PATIENCE, || running.is_recording().ok().filter(|is| !*is))?;

    let mut follower = running.follow("second", &[])?;
    running.sluice.stop()?;
    let ended = until("the follower should end", PATIENCE, || follower.exited())?;
    assert_eq!(ended.code(), Some(1), "{}", follower.output());
    assert!(follower.output().contains("the daemon has stopped"), "{}", follower.output());
    assert!(!running.is_recording()?, "a daemon that stops leaves recording on");
    Ok(())
}

#[test]
fn a_reader_that_goes_ends_the_follower_even_if_nothing_comes() -> anyhow::Result<()> {
    let running = Running::start(1)?;
    running.sluice.succeed(&["deny", "add", &Family::V4.host(9, 1).to_string()])?;
    let (binary, socket) = (sluice_binary()?, running.sluice.socket());
    let pipe =
        format!("{} --socket {} drops --follow | head -2; exit ${{PIPESTATUS[0]}}", binary.display(), socket.display());
    let mut piped = running.site.node.command("bash");
    let log = running.sluice.configuration().with_file_name("piped");
    let mut piped = Process::start("a pipe", piped.args(["-c", &pipe]), &log)?;
    until("drops should be recorded", PATIENCE, || running.is_recording().ok().filter(|is| *is))?;
    running.send(Family::V4, 4000, 1)?;
    let ended = until("the pipe should end", PATIENCE, || piped.exited())?;
    assert_eq!(ended.code(), Some(0), "{}", piped.output());
    let output = piped.output();
    assert!(output.starts_with("TIME") && output.contains("  denied  "), "{output}");
    until("recording should end", PATIENCE, || running.is_recording().ok().filter(|is| !*is))?;
    Ok(())
}

#[test]
fn an_explanation_says_what_the_datapath_does() -> anyhow::Result<()> {
    let running = Running::start(3)?;
    let (client, service) = (Family::V4.host(9, 1), Family::V4.service());
    let explain = |from: IpAddr, port: u16, to: String| {
        let from = SocketAddr::new(from, port).to_string();
        running.sluice.json::<Explanation>(&["explain", "--from", &from, "--to", &to, "udp"])
    };
    let mut met = std::collections::BTreeSet::new();
    for port in 4000..4012 {
        let explained = explain(client, port, format!("{service}:53"))?;
        let before = running.sluice.backends("web")?;
        running.send(Family::V4, port, 1)?;
        let packets = |backends: &[BackendStatus]| backends.iter().map(|backend| backend.traffic.packets).sum::<u64>();
        let after = until("the datagram should be counted", PATIENCE, || {
            running.sluice.backends("web").ok().filter(|after| packets(after) == packets(&before) + 1)
        })?;
        let changed = before.iter().zip(&after).find(|(before, after)| before.traffic != after.traffic);
        let backend = &changed.context("no backend has got it")?.1.name;
        let expected = format!("forwarded to the backend {backend} ");
        ensure!(explained.outcome.starts_with(&expected), "{} was said of what went to {backend}", explained.outcome);
        met.insert(backend.clone());
    }
    assert!(met.len() > 1, "all went to {met:?}");

    running.sluice.succeed(&["deny", "add", "10.9.0.0/31"])?;
    let denied = explain(client, 4000, format!("{service}:53"))?;
    assert_eq!(denied.reason.as_deref(), Some("denied"));
    assert_eq!(denied.steps.len(), 1, "{denied:?}");
    assert!(denied.steps[0].finding.ends_with("denied by 10.9.0.0/31"), "{denied:?}");
    running.sluice.succeed(&["deny", "remove", "10.9.0.0/31"])?;

    let elsewhere = explain(client, 4000, format!("{service}:54"))?;
    assert_eq!(elsewhere.outcome, "passed on to the node's own network stack");
    let ping = ["explain", "--from", &client.to_string(), "--to", &service.to_string(), "icmp"].map(str::to_owned);
    let ping: Explanation = running.sluice.json(&ping.each_ref().map(String::as_str))?;
    assert_eq!(ping.outcome, "answered here, as the service's address");
    for backend in running.sluice.backends("web")? {
        running.sluice.succeed(&["backend", "disable", "web", &backend.name])?;
    }
    let nobody = explain(client, 4000, format!("{service}:53"))?;
    assert_eq!(nobody.reason.as_deref(), Some("no_backend"));
    assert!(nobody.advice.is_some_and(|advice| advice.contains("sluice backends")));
    let counted = running.sluice.json::<Drops>(&["drops"])?;
    assert!(counted.reasons.values().all(|drop| drop.packets == 0), "an explanation was counted: {counted:?}");

    for (arguments, error) in [
        (&["--from", "10.9.0.1", "--to", "2001:db8::80:53"][..], "not of the same family"),
        (&["--from", "10.9.0.1", "--to", "192.0.2.80"], "the destination's port is missing"),
        (&["--from", "10.9.0.1", "--to", "192.0.2.80:53", "icmp"], "an echo request has no ports"),
        (&["--from", "10.9.0.1", "--to", "192.0.2.80:53", "udp", "--established"], "only TCP has connections"),
        (&["--from", "10.9.0.1", "--to", "192.0.2.80:53", "--interface", "eth7"], "not attached to `eth7`"),
    ] {
        let answer = running.sluice.cli(&[&["explain"], arguments].concat())?;
        assert_eq!(answer.code, 2, "{arguments:?}: {answer:?}");
        assert!(answer.stderr.contains(error), "{arguments:?}: {answer:?}");
    }
    Ok(())
}
