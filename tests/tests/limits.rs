//! Rate limits with real clients: what gets through, who is held, and who is banned for how long.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use lb_userspace::{
    api::types::{DropEvent, LimitStatus, ListTest},
    model::Origin,
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use tests::lab::{Echoes, Family, until};

const PATIENCE: Duration = Duration::from_secs(20);

fn status(echoes: &Echoes, limit: &str) -> anyhow::Result<LimitStatus> {
    let limits: Vec<LimitStatus> = echoes.sluice.json(&["limits", limit])?;
    limits.into_iter().next().context("no limit")
}

fn limit(name: &str, settings: &str) -> String {
    format!("\n[[limit]]\nname = \"{name}\"\n{settings}\n")
}

#[test]
fn each_source_gets_its_burst_and_its_rate_and_others_theirs() -> anyhow::Result<()> {
    // Without services, questions for neighbours would be charged as well.
    let settings = "by = \"source\"\npackets = 10\nburst = 20\nservices = [\"four\", \"six\"]";
    let echoes = Echoes::start(&limit("clients", settings))?;
    for (family, other) in [(Family::V4, Echoes::OTHERS[0]), (Family::V6, Echoes::OTHERS[1])] {
        let (hungry, modest) = (family.host(9, 1), other.parse::<IpAddr>()?);
        let began = Instant::now();
        let answered = echoes.answered(hungry, 0, 200)?;
        // What comes in while it is sent comes on top.
        let most = 20 + began.elapsed().as_millis() as usize / 100 + 1;
        ensure!((20..=most).contains(&answered), "{answered} of 200 were answered, and {most} may be");
        ensure!(echoes.answered(modest, 0, 20)? == 20, "{modest} was held to what {hungry} sent");
        thread::sleep(Duration::from_secs(1));
        let answered = echoes.answered(hungry, 0, 200)?;
        ensure!((10..=20).contains(&answered), "after a second {answered} of 200 were answered");
    }
    let told = status(&echoes, "clients")?;
    let dropped = echoes.dropped("rate_limited")?;
    assert_eq!((told.passed + told.limited, told.limited), (2 * (200 + 20 + 200), dropped));
    Ok(())
}

#[test]
fn processors_together_let_pass_no_more_than_the_limit() -> anyhow::Result<()> {
    const EACH: u64 = 50_000;
    let settings = "packets = 100\nburst = 1000\nservices = \"four\"";
    for by in ["source", "all"] {
        let echoes = Echoes::start(&limit("shared", &format!("by = \"{by}\"\n{settings}")))?;
        let sockets = [echoes.socket(Family::V4.host(9, 1), 0)?, echoes.socket(Family::V4.host(9, 1), 0)?];
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
        let told = status(&echoes, "shared")?;
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
    let echoes = Echoes::start(&clients(10))?;
    let client = Family::V4.host(9, 1);
    let few = |answered: usize, burst: usize| (burst..=burst + 2).contains(&answered);
    ensure!(few(echoes.answered(client, 0, 50)?, 10), "the burst");
    // Something else changes: the bucket is as empty as before.
    echoes.apply(&(clients(10) + &limit("other", "by = \"all\"\npackets = 1000000")))?;
    let answered = echoes.answered(client, 0, 50)?;
    ensure!(answered <= 2, "{answered} were answered after a reload that did not change the limit");
    echoes.apply(&clients(30))?;
    ensure!(few(echoes.answered(client, 0, 50)?, 30), "the new burst");
    echoes.apply(&total(5))?;
    ensure!(few(echoes.answered(client, 0, 50)?, 5), "a service's burst");
    echoes.apply(&total(15))?;
    ensure!(few(echoes.answered(client, 0, 50)?, 15), "a service's new burst");
    echoes.apply("")?;
    ensure!(echoes.answered(client, 0, 50)? == 50, "without limits");
    Ok(())
}

#[test]
fn who_exceeds_a_limit_is_banned_for_its_time_and_a_successor_knows() -> anyhow::Result<()> {
    let ban = "by = \"source\"\npackets = 10\naction = { ban = \"4s\" }";
    let mut echoes = Echoes::start(&limit("strict", ban))?;
    let follower = echoes.sluice.spawn("follower", &["--json", "drops", "--follow", "--reason", "rate_limited"])?;
    thread::sleep(Duration::from_millis(500));
    let (greedy, modest) = (Family::V4.host(9, 1), Echoes::OTHERS[0].parse::<IpAddr>()?);
    let began = Instant::now();
    echoes.answered(greedy, 0, 50)?;
    until("the source should be banned", PATIENCE, || {
        (!status(&echoes, "strict").ok()?.bans.is_empty()).then_some(())
    })?;
    let first = follower.output().lines().find_map(|line| serde_json::from_str::<DropEvent>(line).ok());
    assert_eq!(first.context("no drop was shown")?.rule.as_deref(), Some("strict"));
    let test: ListTest = echoes.sluice.json(&["deny", "test", &greedy.to_string()])?;
    let entry = &test.found.first().context("it is not on the deny list")?.entry;
    assert_eq!((entry.origin, entry.reason.as_deref()), (Origin::Ban, Some("over the limit strict")));
    ensure!(echoes.answered(greedy, 0, 1)? == 0, "{greedy} is banned");
    ensure!(echoes.answered(modest, 0, 5)? == 5, "{modest} is not banned");

    echoes.sluice.kill9();
    echoes.sluice.restart()?;
    ensure!(echoes.answered(greedy, 0, 1)? == 0, "{greedy} is still banned");
    assert_eq!(status(&echoes, "strict")?.bans.len(), 1);
    echoes.await_answer(greedy, PATIENCE)?;
    let lasted = began.elapsed();
    ensure!((Duration::from_secs(4)..Duration::from_secs(6)).contains(&lasted), "the ban lasted {lasted:?}");
    Ok(())
}
