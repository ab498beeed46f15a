//! Health checks decide who gets flows, and say why.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context;
use lb_userspace::{
    api::types::{BackendState, BackendStatus, Status},
    model::Protocol,
};
use tests::{
    lab::{Family, Namespace, Nginx, NginxOptions, Site, Sluice, Steering, node_section, service_section, until},
    traffic::{Load, LoadOptions, Report},
};

const PATIENCE: Duration = Duration::from_secs(10);

fn web() -> SocketAddr {
    (Family::V4.service(), 80).into()
}

/// Three web servers, delivered by `l2`.
struct Running {
    sluice: Sluice,
    nginx: Vec<Nginx>,
    site: Site,
}

impl Running {
    /// `check` is what stands behind `health = `, but for the pace.
    fn start(check: &str) -> anyhow::Result<Self> {
        Self::start_at(Site::new(3)?, check)
    }

    fn start_at(site: Site, check: &str) -> anyhow::Result<Self> {
        for host in &site.servers {
            host.own(web().ip())?;
        }
        let start = |host: &Namespace| Nginx::start(host, host.name(), NginxOptions::default());
        let nginx = site.servers.iter().map(start).collect::<Result<_, _>>()?;
        let settings = format!(
            "address = \"192.0.2.80\"\nport = 80\ndelivery = \"l2\"\n\
             health = {{ {check}, interval = \"300ms\", timeout = \"300ms\", rise = 3, fall = 2 }}"
        );
        let configuration = node_section(&["eth0"]) + &service_section("web", &settings, &site.backends(Family::V4));
        let sluice = Sluice::start(&site.node, &configuration)?;
        sluice.await_ready()?;
        Ok(Self { sluice, nginx, site })
    }

    fn status(&self, backend: &str) -> anyhow::Result<BackendStatus> {
        let found = self.sluice.backends("web")?.into_iter().find(|status| status.name == backend);
        found.with_context(|| format!("`sluice backends` does not show {backend}"))
    }

    fn slots(&self) -> anyhow::Result<Vec<u16>> {
        Steering::read(self.sluice.pins())?.slots(web(), Protocol::Tcp)
    }

    /// Some requests on connections of their own.
    fn ask(&self) -> anyhow::Result<Report> {
        let load = Load::start(&self.site.client, web(), LoadOptions::default())?;
        let mut report = Report::default();
        until("a hundred requests should end", PATIENCE, || {
            report.add(&load.take());
            (report.requests() >= 100).then_some(())
        })?;
        Ok(report)
    }

    fn assert_answered_by(&self, backends: &[&str]) -> anyhow::Result<()> {
        let report = self.ask()?;
        assert_eq!(report.failed(), 0, "{}", report.reasons());
        assert_eq!(report.answers.keys().map(String::as_str).collect::<Vec<_>>(), backends);
        Ok(())
    }
}

/// Only the rows of who went away have another owner, but for a few that quotas move.
fn assert_others_stay(before: &[u16], after: &[u16]) {
    let owners: BTreeSet<u16> = before.iter().copied().collect();
    let gone: Vec<u16> = owners.iter().copied().filter(|slot| !after.contains(slot)).collect();
    assert_eq!(gone.len(), 1, "one backend should have lost all rows: {gone:?}");
    let moved = before.iter().zip(after).filter(|(before, after)| **before != gone[0] && before != after).count();
    assert!(moved * 100 <= before.len(), "{moved} rows of other backends moved, of {}", before.len());
}

#[test]
fn a_server_that_is_killed_is_taken_out_and_back_in() -> anyhow::Result<()> {
    let mut running = Running::start("type = \"tcp\"")?;
    let before = running.slots()?;
    running.nginx[1].kill();
    running.sluice.await_state("web", "web2", BackendState::Down)?;
    let web2 = running.status("web2")?;
    assert_eq!((web2.share, web2.reason.as_str()), (0.0, "connection refused"));
    let shown = running.sluice.succeed(&["backends", "web"])?;
    assert!(shown.contains("down") && shown.contains("connection refused"), "{shown}");
    assert_eq!(running.sluice.json::<Status>(&["status"])?.backends_up, 2);
    assert_others_stay(&before, &running.slots()?);
    running.assert_answered_by(&["web1", "web3"])?;

    running.nginx[1].restart()?;
    running.sluice.await_state("web", "web2", BackendState::Up)?;
    assert_eq!(running.status("web2")?.reason, "3 checks passed");
    assert!(running.slots()? == before, "the rows are not where they were");
    running.assert_answered_by(&["web1", "web2", "web3"])
}

#[test]
fn a_server_that_says_503_is_taken_out_although_it_answers() -> anyhow::Result<()> {
    let running = Running::start("type = \"http\", path = \"/health\"")?;
    running.nginx[0].set_healthy(false)?;
    running.sluice.await_state("web", "web1", BackendState::Down)?;
    let reason = running.status("web1")?.reason;
    assert!(reason.contains("503") && reason.contains("expected"), "{reason}");
    running.assert_answered_by(&["web2", "web3"])?;
    running.nginx[0].set_healthy(true)?;
    running.sluice.await_state("web", "web1", BackendState::Up)?;
    running.assert_answered_by(&["web1", "web2", "web3"])
}

#[test]
fn a_host_that_vanishes_is_taken_out() -> anyhow::Result<()> {
    let running = Running::start("type = \"http\", path = \"/health\"")?;
    running.site.servers[2].ip("link set eth0 down")?;
    running.sluice.await_state("web", "web3", BackendState::Down)?;
    let reason = running.status("web3")?.reason;
    assert!(reason.contains("no answer within 300ms"), "{reason}");
    running.assert_answered_by(&["web1", "web2"])
}

/// Answers checks, on a port of its own, as a sequence says that begins anew with every [`Script::play`].
struct Script {
    sequence: Arc<Mutex<(&'static [bool], usize)>>,
}

impl Script {
    /// Starts a server in a thread that ends with the test's process.
    fn start(host: &Namespace, port: u16) -> anyhow::Result<Self> {
        let listener = host.enter(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))??;
        let sequence = Arc::new(Mutex::new((&[true][..], 0)));
        let shared = Arc::clone(&sequence);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever does not wait for the answer does not get it.
                let _ = answer(stream, &shared);
            }
        });
        Ok(Self { sequence })
    }

    /// Plays a sequence again and again; returns after so many answers.
    fn play(&self, passes: &'static [bool], answers: usize) -> anyhow::Result<()> {
        *self.sequence.lock().unwrap_or_else(PoisonError::into_inner) = (passes, 0);
        until("the checks should go on", PATIENCE, || {
            let (_, answered) = *self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
            (answered >= answers).then_some(())
        })
    }
}

fn answer(mut stream: TcpStream, sequence: &Mutex<(&'static [bool], usize)>) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 1024])?;
    let mut sequence = sequence.lock().unwrap_or_else(PoisonError::into_inner);
    let (passes, answered) = *sequence;
    let status = if passes[answered % passes.len()] { "200 OK" } else { "500 Internal Server Error" };
    sequence.1 += 1;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_flapping_server_stays_what_it_was_until_enough_checks_in_a_row_agree() -> anyhow::Result<()> {
    let site = Site::new(3)?;
    let scripts = site.servers.iter().map(|host| Script::start(host, 81)).collect::<Result<Vec<_>, _>>()?;
    let script = &scripts[0];
    let running = Running::start_at(site, "type = \"http\", path = \"/health\", port = 81")?;
    let before = running.slots()?;
    script.play(&[false, true], 8)?;
    assert_eq!(running.status("web1")?.state, BackendState::Up);
    assert!(running.slots()? == before, "rows moved");

    script.play(&[false], 2)?;
    running.sluice.await_state("web", "web1", BackendState::Down)?;
    script.play(&[true, true, false], 9)?;
    assert_eq!(running.status("web1")?.state, BackendState::Down);
    script.play(&[true], 3)?;
    running.sluice.await_state("web", "web1", BackendState::Up)?;
    assert!(running.slots()? == before, "the rows are not where they were");
    Ok(())
}

#[test]
fn without_any_server_packets_are_dropped_for_a_reason() -> anyhow::Result<()> {
    let mut running = Running::start("type = \"tcp\"")?;
    for nginx in &mut running.nginx {
        nginx.kill();
    }
    for backend in ["web1", "web2", "web3"] {
        running.sluice.await_state("web", backend, BackendState::Down)?;
    }
    let options = LoadOptions { timeout: Duration::from_millis(200), ..LoadOptions::default() };
    let load = Load::start(&running.site.client, web(), options)?;
    until("requests should fail", PATIENCE, || (load.take().failed() > 0).then_some(()))?;
    let drops = running.sluice.succeed(&["drops"])?;
    assert!(drops.contains("no_backend"), "{drops}");
    let status: Status = running.sluice.json(&["status"])?;
    assert_eq!(status.warnings, ["service web has no backend that takes traffic"]);
    Ok(())
}
