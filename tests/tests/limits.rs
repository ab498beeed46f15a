//! Rate limits with real clients: what gets through, who is held, and who is banned for how long.

use std::{
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use lb_userspace::{
    api::types::{DropEvent, Drops, LimitStatus, ListTest},
    model::Origin,
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use tests::{
    lab::{Family, Site, Sluice, node_section, service_section, until},
    traffic::UdpEcho,
};

const PORT: u16 = 53;
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's second address in each family.
const OTHERS: [&str; 2] = ["203.0.113.9", "2001:db8:5::9"];

struct Running {
    sluice: Sluice,
    /// The configuration without limits.
    bare: String,
    _echo: [UdpEcho; 2],
    site: Site,
}

impl Running {
    fn start(limits: &str) -> anyhow::Result<Self> {
        let site = Site::new(1)?;
        let mut bare = node_section(&["eth0"]);
        for (family, name, other) in [(Family::V4, "four", OTHERS[0]), (Family::V6, "six", OTHERS[1])] {
            site.client.own(other.parse()?)?;
            for host in [&site.servers[0], &site.node] {
                host.ip(&format!("route add {other} via {}", family.host(9, 1)))?;
            }
            site.servers[0].own(family.service())?;
            let settings =
                format!("address = \"{}\"\nport = {PORT}\nprotocol = \"udp\"\ndelivery = \"l2\"", family.service());
            bare += &service_section(name, &settings, &site.backends(family));
        }
        let echo = |family: Family| UdpEcho::start(&site.servers[0], "web1", SocketAddr::new(family.service(), PORT));
        let echo = [echo(Family::V4)?, echo(Family::V6)?];
        let sluice = Sluice::start(&site.node, &bare)?;
        sluice.await_ready()?;
        let running = Self { sluice, bare, _echo: echo, site };
        // The first datagrams are lost while the neighbours get to know each other.
        for (family, other) in [(Family::V4, OTHERS[0]), (Family::V6, OTHERS[1])] {
            for source in [family.host(9, 1), other.parse()?] {
                running.await_answer(source, PATIENCE)?;
            }
        }
        running.apply(limits)?;
        Ok(running)
    }

    fn apply(&self, limits: &str) -> anyhow::Result<()> {
        fs::write(self.sluice.configuration(), self.bare.clone() + limits)?;
        self.sluice.succeed(&["apply"]).map(drop)
    }

    fn socket(&self, source: IpAddr) -> anyhow::Result<UdpSocket> {
        let family = if source.is_ipv4() { Family::V4 } else { Family::V6 };
        let socket = self.site.client.enter(|| {
            let socket = UdpSocket::bind((source, 0))?;
            socket.connect((family.service(), PORT))?;
            std::io::Result::Ok(socket)
        })??;
        Ok(socket)
    }

    /// Sends so many datagrams from a source at once; how many were answered.
    fn answered(&self, source: IpAddr, count: usize) -> anyhow::Result<usize> {
        let socket = self.socket(source)?;
        for _ in 0..count {
            socket.send(&[0; 32])?;
        }
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        Ok((0..count).take_while(|_| socket.recv(&mut [0; 64]).is_ok()).count())
    }

    fn await_answer(&self, source: IpAddr, patience: Duration) -> anyhow::Result<Duration> {
        let socket = self.socket(source)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let began = Instant::now();
        until(&format!("{source} should be answered"), patience, || {
            socket.send(&[0; 32]).ok()?;
            socket.recv(&mut [0; 64]).ok()
        })?;
        Ok(began.elapsed())
    }

    fn limit(&self, name: &str) -> anyhow::Result<LimitStatus> {
        let limits: Vec<LimitStatus> = self.sluice.json(&["limits", name])?;
        limits.into_iter().next().context("no limit")
    }
}

fn limit(name: &str, settings: &str) -> String {
    format!("\n[[limit]]\nname = \"{name}\"\n{settings}\n")
}

#[test]
fn each_source_gets_its_burst_and_its_rate_and_others_theirs() -> anyhow::Result<()> {
    // Without services, questions for neighbours would be charged as well.
    let settings = "by = \"source\"\npackets = 10\nburst = 20\nservices = [\"four\", \"six\"]";
    let running = Running::start(&limit("clients", settings))?;
    for (family, other) in [(Family::V4, OTHERS[0]), (Family::V6, OTHERS[1])] {
        let (hungry, modest) = (family.host(9, 1), other.parse::<IpAddr>()?);
        let began = Instant::now();
        let answered = running.answered(hungry, 200)?;
        // What comes in while it is sent comes on top.
        let most = 20 + began.elapsed().as_millis() as usize / 100 + 1;
        ensure!((20..=most).contains(&answered), "{answered} of 200 were answered, and {most} may be");
        ensure!(running.answered(modest, 20)? == 20, "{modest} was held to what {hungry} sent");
        thread::sleep(Duration::from_secs(1));
        let answered = running.answered(hungry, 200)?;
        ensure!((10..=20).contains(&answered), "after a second {answered} of 200 were answered");
    }
    let told = running.limit("clients")?;
    let dropped = running.sluice.json::<Drops>(&["drops"])?.reasons["rate_limited"].packets;
    assert_eq!((told.passed + told.limited, told.limited), (2 * (200 + 20 + 200), dropped));
    Ok(())
}

#[test]
fn processors_together_let_pass_no_more_than_the_limit() -> anyhow::Result<()> {
    const EACH: u64 = 50_000;
    let settings = "packets = 100\nburst = 1000\nservices = \"four\"";
    for by in ["source", "all"] {
        let running = Running::start(&limit("shared", &format!("by = \"{by}\"\n{settings}")))?;
        let sockets = [running.socket(Family::V4.host(9, 1))?, running.socket(Family::V4.host(9, 1))?];
        let began = Instant::now();
        thread::scope(|scope| {
            for (cpu, socket) in sockets.iter().enumerate() {
                // The datapath runs on the processor that sends.
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut own = CpuSet::new();
                    own.set(cpu)?;
                    sched_setaffinity(Pid::from_raw(0), &own)?;
                    (0..EACH).try_for_each(|_| Ok(socket.send(&[0; 32]).map(drop)?))
                });
            }
        });
        let most = 1000 + began.elapsed().as_millis() as u64 / 10 + 2;
        // A queue that is full loses some before the datapath sees them.
        thread::sleep(Duration::from_millis(200));
        let told = running.limit("shared")?;
        println!("by {by}: {} of {} passed, {most} may", told.passed, told.passed + told.limited);
        ensure!(told.limited > EACH, "by {by}: only {} arrived", told.passed + told.limited);
        ensure!((1000..=most).contains(&told.passed), "by {by}: {} passed, and {most} may", told.passed);
    }
    Ok(())
}

#[test]
fn a_reload_that_changes_a_limit_leaves_no_bucket_behind_and_another_keeps_it() -> anyhow::Result<()> {
    let clients = |burst: u32| limit("clients", &format!("by = \"source\"\npackets = 1\nburst = {burst}"));
    let total =
        |burst: u32| limit("total", &format!("by = \"service\"\npackets = 1\nburst = {burst}\nservices = \"four\""));
    let running = Running::start(&clients(10))?;
    let client = Family::V4.host(9, 1);
    let few = |answered: usize, burst: usize| (burst..=burst + 2).contains(&answered);
    ensure!(few(running.answered(client, 50)?, 10), "the burst");
    // Something else changes: the bucket is as empty as before.
    running.apply(&(clients(10) + &limit("other", "by = \"all\"\npackets = 1000000")))?;
    let answered = running.answered(client, 50)?;
    ensure!(answered <= 2, "{answered} were answered after a reload that did not change the limit");
    running.apply(&clients(30))?;
    ensure!(few(running.answered(client, 50)?, 30), "the new burst");
    running.apply(&total(5))?;
    ensure!(few(running.answered(client, 50)?, 5), "a service's burst");
    running.apply(&total(15))?;
    ensure!(few(running.answered(client, 50)?, 15), "a service's new burst");
    running.apply("")?;
    ensure!(running.answered(client, 50)? == 50, "without limits");
    Ok(())
}

#[test]
fn who_exceeds_a_limit_is_banned_for_its_time_and_a_successor_knows() -> anyhow::Result<()> {
    let ban = "by = \"source\"\npackets = 10\naction = { ban = \"4s\" }";
    let mut running = Running::start(&limit("strict", ban))?;
    let follower = running.sluice.spawn("follower", &["--json", "drops", "--follow", "--reason", "rate_limited"])?;
    thread::sleep(Duration::from_millis(500));
    let (greedy, modest) = (Family::V4.host(9, 1), OTHERS[0].parse::<IpAddr>()?);
    let began = Instant::now();
    running.answered(greedy, 50)?;
    until("the source should be banned", PATIENCE, || (!running.limit("strict").ok()?.bans.is_empty()).then_some(()))?;
    let first = follower.output().lines().find_map(|line| serde_json::from_str::<DropEvent>(line).ok());
    assert_eq!(first.context("no drop was shown")?.rule.as_deref(), Some("strict"));
    let test: ListTest = running.sluice.json(&["deny", "test", &greedy.to_string()])?;
    let entry = &test.found.first().context("it is not on the deny list")?.entry;
    assert_eq!((entry.origin, entry.reason.as_deref()), (Origin::Ban, Some("over the limit strict")));
    ensure!(running.answered(greedy, 1)? == 0, "{greedy} is banned");
    ensure!(running.answered(modest, 5)? == 5, "{modest} is not banned");

    running.sluice.kill9();
    running.sluice.restart()?;
    ensure!(running.answered(greedy, 1)? == 0, "{greedy} is still banned");
    assert_eq!(running.limit("strict")?.bans.len(), 1);
    running.await_answer(greedy, PATIENCE)?;
    let lasted = began.elapsed();
    ensure!((Duration::from_secs(4)..Duration::from_secs(6)).contains(&lasted), "the ban lasted {lasted:?}");
    Ok(())
}
