//! The firewall's rules with real traffic: while they change, what they count, and who is told which rule it was.

use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use lb_userspace::api::types::{DropEvent, RuleStatus};
use tests::lab::{Echoes, Family, Process, until};

const PATIENCE: Duration = Duration::from_secs(20);

/// The source ports of the client that rules drop, and of the one that they do not.
const DROPPED: u16 = 4000;
const SERVED: u16 = 4001;

/// An answer takes some microseconds, but the machine may be busy with something else.
const LOST: Duration = Duration::from_secs(2);

/// Ways to drop the one and not the other. Each counts all datagrams as `all`, somewhere else in the order.
const WAYS: [&str; 4] = [
    "all; deny source_port = 4000",
    "all; mine pass source_port = 4001; rest drop services = [\"four\", \"six\"]",
    "few count length = \"0-20\"; all; other drop source_port = [\"3000-4000\", \"5000-6000\"]",
    "all; deny source_port = 4000; never drop source_port = 1",
];

/// The rules of a way as the configuration has them.
fn rules(way: &str) -> String {
    let rule = |text: &str| {
        let mut words = text.trim().splitn(3, ' ');
        let name = words.next().unwrap_or_default();
        let (action, conditions) = match (name, words.next(), words.next()) {
            ("all", ..) => ("count", "port = 53".to_owned()),
            ("deny", Some(first), Some(rest)) => ("drop", format!("{first} {rest}")),
            (_, action, conditions) => (action.unwrap_or_default(), conditions.unwrap_or_default().to_owned()),
        };
        format!("\n[[rule]]\nname = \"{name}\"\naction = \"{action}\"\nprotocol = \"udp\"\n{conditions}\n")
    };
    way.split(';').map(rule).collect()
}

fn socket(echoes: &Echoes, family: Family, port: u16) -> anyhow::Result<UdpSocket> {
    let socket = echoes.socket(family.host(9, 1), port)?;
    socket.set_read_timeout(Some(LOST))?;
    Ok(socket)
}

fn counted(echoes: &Echoes, rule: &str) -> anyhow::Result<u64> {
    let rules: Vec<RuleStatus> = echoes.sluice.json(&["rules", rule])?;
    Ok(rules[0].packets)
}

/// What was sent, and what was wrong with it.
#[derive(Default)]
struct Seen {
    sent: u64,
    wrong: u64,
}

/// Sends until it is over; what is answered although it is dropped, or the other way round, is wrong.
fn send(socket: &UdpSocket, is_dropped: bool, is_over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    if is_dropped {
        let _ = socket.set_nonblocking(true);
    }
    while !is_over.load(Ordering::Relaxed) {
        seen.sent += u64::from(socket.send(&[0; 32]).is_ok());
        seen.wrong += u64::from(socket.recv(&mut [0; 64]).is_ok() == is_dropped);
        if is_dropped {
            // The others wait for answers, which need a processor, too.
            thread::sleep(Duration::from_micros(100));
        }
    }
    seen
}

#[test]
fn while_rules_change_no_packet_meets_none_and_each_is_counted_once() -> anyhow::Result<()> {
    let echoes = Echoes::start(&rules(WAYS[0]))?;
    let before = (counted(&echoes, "all")?, echoes.dropped("rule")?);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for (family, port) in [(Family::V4, DROPPED), (Family::V4, SERVED), (Family::V6, DROPPED), (Family::V6, SERVED)] {
        let (socket, is_over) = (socket(&echoes, family, port)?, Arc::clone(&is_over));
        threads.push((port, thread::spawn(move || send(&socket, port == DROPPED, &is_over))));
    }
    for round in 1..=40 {
        echoes.apply(&rules(WAYS[round % WAYS.len()]))?;
    }
    is_over.store(true, Ordering::Relaxed);
    let (mut sent, mut dropped) = (0, 0);
    for (port, thread) in threads {
        let seen = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ensure!(seen.sent > 500 && seen.wrong == 0, "from port {port}: {} sent, {} wrong", seen.sent, seen.wrong);
        sent += seen.sent;
        dropped += if port == DROPPED { seen.sent } else { 0 };
    }
    println!("{sent} datagrams, {dropped} of them dropped");
    let counted = || Some((counted(&echoes, "all").ok()? - before.0, echoes.dropped("rule").ok()? - before.1));
    until("all should be counted", PATIENCE, || counted().filter(|counted| *counted == (sent, dropped)))
        .with_context(|| format!("{sent} sent, {dropped} of them dropped, but counted {:?}", counted()))?;
    Ok(())
}

#[test]
fn a_successor_goes_on_with_the_rules_and_their_counters() -> anyhow::Result<()> {
    let mut echoes = Echoes::start(&rules(WAYS[0]))?;
    let socket = socket(&echoes, Family::V4, DROPPED)?;
    socket.set_nonblocking(true)?;
    let ten = || -> anyhow::Result<()> { (0..10).try_for_each(|_| Ok(socket.send(&[0; 32]).map(drop)?)) };
    ten()?;
    until("ten should be dropped", PATIENCE, || counted(&echoes, "deny").ok().filter(|count| *count == 10))?;
    echoes.sluice.kill9();
    ten()?;
    echoes.sluice.restart()?;
    until("ten more should be dropped", PATIENCE, || counted(&echoes, "deny").ok().filter(|count| *count == 20))?;
    // What is called otherwise begins at zero, although it is the same rule in all else.
    echoes.apply(&rules("all; mine pass source_port = 4001; late drop source_port = 4000"))?;
    assert_eq!(counted(&echoes, "late")?, 0);
    ten()?;
    until("ten should be dropped", PATIENCE, || counted(&echoes, "late").ok().filter(|count| *count == 10))?;
    Ok(())
}

#[test]
fn drops_and_explanations_name_the_rule() -> anyhow::Result<()> {
    let echoes = Echoes::start(&rules(WAYS[1]))?;
    let client: IpAddr = Family::V4.host(9, 1);
    let explained = echoes.explained(client, DROPPED)?;
    assert_eq!(explained.reason.as_deref(), Some("rule"));
    let step = explained.steps.last().context("no steps")?;
    assert_eq!((step.stage.as_str(), step.finding.as_str()), ("rules", "all counts it; rest decides: drop"));

    let follower = echoes.sluice.spawn("follower", &["--json", "drops", "--follow", "--reason", "rule"])?;
    let socket = socket(&echoes, Family::V4, DROPPED)?;
    let events = |follower: &Process| -> Vec<DropEvent> {
        follower.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let event = until("a drop should be shown", PATIENCE, || {
        socket.send(&[0; 32]).ok()?;
        events(&follower).into_iter().next()
    })?;
    assert_eq!((event.rule.as_deref(), event.service.as_deref()), (Some("rest"), Some("four")));
    Ok(())
}
