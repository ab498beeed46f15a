//! Decisions of a real CrowdSec.

use std::{fs, net::IpAddr, time::Duration};

use anyhow::Context;
use lb_userspace::{
    api::types::{List, ListEntry, Status},
    model::Origin,
};
use tests::lab::{CrowdSec, until};

use super::{edge::Edge, watch::await_answer};

/// CrowdSec is asked every second.
const PATIENCE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(2);

fn entries(edge: &Edge) -> anyhow::Result<Vec<ListEntry>> {
    let list: List = edge.sluice.json(&["deny", "list"])?;
    Ok(list.entries)
}

fn await_entry(edge: &Edge, prefix: &str, is_there: bool) -> anyhow::Result<()> {
    let what = if is_there { "should be banned" } else { "should not be banned" };
    until(&format!("{prefix} {what}"), PATIENCE, || {
        let is_on_it = entries(edge).ok()?.iter().any(|entry| entry.prefix == prefix);
        (is_on_it == is_there).then_some(())
    })
}

fn warnings(edge: &Edge) -> anyhow::Result<Vec<String>> {
    let status: Status = edge.sluice.json(&["status"])?;
    Ok(status.warnings.into_iter().filter(|warning| warning.contains("CrowdSec")).collect())
}

#[test]
fn crowdsecs_bans_are_entries_that_come_and_go_and_outlive_it() -> anyhow::Result<()> {
    let mut edge = Edge::start()?;
    let mut crowdsec = CrowdSec::start(&edge.site.node)?;
    let key = edge.folder.path().join("key");
    fs::write(&key, format!("{}\n", CrowdSec::KEY))?;
    let section = format!(
        "\n[crowdsec]\nurl = \"{}\"\napi_key_file = \"{}\"\ninterval = \"1s\"\n",
        CrowdSec::url(),
        key.display()
    );
    let configuration = edge.sluice.configuration();
    let before = fs::read_to_string(&configuration)?;
    fs::write(&configuration, before.clone() + &section)?;
    crowdsec.cli(&["decisions", "add", "--ip", "203.0.113.1", "--duration", "1h", "--reason", "known before"])?;
    edge.sluice.succeed(&["apply"])?;
    await_entry(&edge, "203.0.113.1/32", true)?;
    let client = edge.site.client.clone();
    let source = |text: &str| text.parse::<IpAddr>().expect("an address");
    assert!(await_answer(&client, source("203.0.113.1"), SOON).is_err());

    crowdsec.cli(&[
        "decisions",
        "add",
        "--range",
        "2001:db8:5:1::/64",
        "--duration",
        "1h",
        "--reason",
        "too many tries",
    ])?;
    await_entry(&edge, "2001:db8:5:1::/64", true)?;
    let entry = entries(&edge)?.into_iter().find(|entry| entry.prefix == "2001:db8:5:1::/64").context("no entry")?;
    assert_eq!((entry.reason.as_deref(), entry.origin), (Some("too many tries (cscli)"), Origin::CrowdSec));
    assert!(entry.seconds_left.is_some_and(|left| (3500..=3601).contains(&left)), "{entry:?}");
    assert!(await_answer(&client, source("2001:db8:5:1:8000::1"), SOON).is_err());
    crowdsec.cli(&["decisions", "delete", "--range", "2001:db8:5:1::/64"])?;
    await_entry(&edge, "2001:db8:5:1::/64", false)?;
    await_answer(&client, source("2001:db8:5:1:8000::1"), SOON)?;

    // Not this node's own way to its backends.
    crowdsec.cli(&["decisions", "add", "--range", "10.9.0.0/24", "--duration", "1h"])?;
    crowdsec.cli(&["decisions", "add", "--ip", "203.0.113.2", "--duration", "8s"])?;
    await_entry(&edge, "203.0.113.2/32", true)?;
    assert!(entries(&edge)?.iter().all(|entry| entry.prefix != "10.9.0.0/24"));

    // Neither its end nor the daemon's changes anything.
    crowdsec.kill();
    until("somebody should complain", PATIENCE, || (!warnings(&edge).ok()?.is_empty()).then_some(()))?;
    edge.sluice.kill9();
    edge.sluice.restart()?;
    assert!(await_answer(&client, source("203.0.113.1"), Duration::from_millis(500)).is_err());
    await_answer(&client, source("203.0.113.2"), PATIENCE)?;
    crowdsec.restart()?;
    until("nobody should complain any more", 3 * PATIENCE, || warnings(&edge).ok()?.is_empty().then_some(()))?;

    fs::write(&configuration, before)?;
    edge.sluice.succeed(&["apply"])?;
    await_answer(&client, source("203.0.113.1"), SOON)?;
    Ok(())
}
