//! The firewall's lists with real traffic: while they change, when entries expire, and after the daemon's death.

mod crowdsec;
mod edge;
mod feeds;
mod watch;

use std::{
    fs,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use lb_userspace::api::types::{List, ListTest};

use self::{
    edge::Edge,
    watch::{Watch, await_answer},
};

/// An entry begins to count its time in whole seconds of the datapath's clock, and lasts at least as long as was asked for.
const LATEST: Duration = Duration::from_millis(1100);

#[test]
fn while_a_large_list_is_reloaded_grows_and_shrinks_who_is_listed_never_passes_and_nobody_else_is_dropped()
-> anyhow::Result<()> {
    let edge = Edge::start()?;
    edge.write_list(0, 1000)?;
    edge.sluice.succeed(&["apply"])?;
    let watch = Watch::start(&edge.site.client)?;
    // The second makes larger tables necessary, and so does the fourth; the fifth needs them no more.
    for (round, prefixes) in [(1, 1000), (2, 200_000), (3, 200_000), (4, 500_000), (5, 2000), (6, 500_000)] {
        edge.write_list(round, prefixes)?;
        edge.sluice.succeed(&["apply"])?;
        let list: List = edge.sluice.json(&["deny", "list", "--list", "pests"])?;
        anyhow::ensure!(list.prefixes > prefixes as usize, "{} prefixes in round {round}", list.prefixes);
    }
    watch.end()
}

#[test]
fn while_entries_come_and_go_by_command_who_is_listed_never_passes_and_nobody_else_is_dropped() -> anyhow::Result<()> {
    let edge = Edge::start()?;
    edge.write_list(0, 1000)?;
    edge.sluice.succeed(&["apply"])?;
    let watch = Watch::start(&edge.site.client)?;
    for round in 0..10 {
        // Around the sources that are listed, beside those that are not.
        let more = ["203.0.113.64/26", "198.51.100.32/27", "2001:db8:5:1::/65", "198.51.0.0/18"];
        edge.sluice.succeed(&[&["deny", "add", "--reason", "more"][..], &more].concat())?;
        edge.sluice.succeed(&["deny", "add", "203.0.113.4", "--for", "1h"])?;
        let import = edge.folder.path().join("import.netset");
        fs::write(&import, edge::prefixes(100 + round, 20_000))?;
        edge.sluice.succeed(&["deny", "import", &import.to_string_lossy()])?;
        edge.sluice.succeed(&[&["deny", "remove"][..], &more].concat())?;
        edge.sluice.succeed(&["deny", "remove", "203.0.113.4"])?;
    }
    watch.end()
}

#[test]
fn while_daemons_die_and_follow_one_another_who_is_listed_never_passes_and_nobody_else_is_dropped() -> anyhow::Result<()>
{
    let mut edge = Edge::start()?;
    edge.write_list(0, 100_000)?;
    edge.sluice.succeed(&["apply"])?;
    let watch = Watch::start(&edge.site.client)?;
    edge.sluice.kill9();
    thread::sleep(Duration::from_secs(1));
    edge.sluice.restart()?;
    edge.write_list(1, 100_000)?;
    edge.sluice.succeed(&["apply"])?;
    edge.sluice.restart()?;
    watch.end()
}

#[test]
fn entries_expire_to_a_second_whether_a_daemon_lives_or_not() -> anyhow::Result<()> {
    let mut edge = Edge::start()?;
    let client = edge.site.client.clone();
    let [first, second, sixth] = ["203.0.113.1", "203.0.113.2", "2001:db8:5:1:8000::1"];
    let source = |text: &str| text.parse::<IpAddr>().expect("an address");
    let seconds = |count| Duration::from_secs(count);
    let within = |waited: Duration, least: Duration| (least..least + LATEST).contains(&waited);

    edge.sluice.succeed(&["deny", "add", first, sixth, "--for", "3s"])?;
    let waited = await_answer(&client, source(first), seconds(8))?;
    assert!(within(waited, seconds(3)), "{waited:?}");
    await_answer(&client, source(sixth), seconds(1))?;

    edge.sluice.succeed(&["deny", "add", &format!("{second}/32"), "2001:db8:5:1::/64", "--for", "4s"])?;
    edge.sluice.kill9();
    let waited = await_answer(&client, source(second), seconds(9))?;
    assert!(within(waited, seconds(4)), "{waited:?}");
    await_answer(&client, source(sixth), seconds(1))?;
    Ok(())
}

#[test]
fn a_successor_knows_what_commands_have_added_and_until_when() -> anyhow::Result<()> {
    let mut edge = Edge::start()?;
    let client = edge.site.client.clone();
    let [kept, banned, never] = ["203.0.113.1", "203.0.113.3", "203.0.113.2"];
    edge.sluice.succeed(&["deny", "add", kept, "--reason", "asked by hand"])?;
    edge.sluice.succeed(&["deny", "add", banned, "--for", "6s", "--reason", "too many tries"])?;
    let began = Instant::now();
    edge.sluice.kill9();
    edge.sluice.restart()?;
    let test: ListTest = edge.sluice.json(&["deny", "test", banned])?;
    let entry = &test.found.first().context("the ban is not on the list")?.entry;
    assert_eq!(entry.reason.as_deref(), Some("too many tries"));
    assert!(entry.seconds_left.is_some_and(|left| left <= 6), "{entry:?}");
    let test: ListTest = edge.sluice.json(&["deny", "test", kept])?;
    assert_eq!(test.found.first().and_then(|found| found.entry.reason.as_deref()), Some("asked by hand"));
    await_answer(&client, never.parse()?, Duration::from_secs(1))?;
    await_answer(&client, banned.parse()?, Duration::from_secs(8))?;
    let lasted = began.elapsed();
    assert!((Duration::from_millis(5900)..Duration::from_millis(7200)).contains(&lasted), "{lasted:?}");
    assert!(await_answer(&client, kept.parse()?, Duration::from_millis(500)).is_err(), "{kept} is on the list");
    Ok(())
}
