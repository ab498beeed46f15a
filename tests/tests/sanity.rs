//! Sanity checks with real clients: switches that change for one service while another keeps them, and what is said of it.

use anyhow::{Context, ensure};
use lb_userspace::api::types::{List, ListTest};
use tests::lab::{Echoes, Family};

/// A port that amplifiers answer from.
const AMPLIFIER: u16 = 161;

/// The configuration with keys of the service `six`, and what stands in front of all sections.
fn with(echoes: &Echoes, front: &str, of_six: &str) -> String {
    let services = echoes.services.replace("name = \"six\"\n", &format!("name = \"six\"\n{of_six}\n"));
    format!("{front}\n{services}")
}

#[test]
fn a_service_gets_an_exception_while_another_keeps_the_check_and_a_successor_keeps_both() -> anyhow::Result<()> {
    let mut echoes = Echoes::start("")?;
    let (four, six) = (Family::V4.host(9, 1), Family::V6.host(9, 1));
    let both = |echoes: &Echoes| {
        Ok::<_, anyhow::Error>((echoes.answered(four, AMPLIFIER, 10)?, echoes.answered(six, AMPLIFIER, 10)?))
    };
    ensure!(both(&echoes)? == (0, 0), "both services have the check");
    ensure!(echoes.dropped("amplifier")? == 20, "20 were dropped");
    ensure!((echoes.answered(four, 4001, 10)?, echoes.answered(six, 4001, 10)?) == (10, 10), "others are served");

    let explained = echoes.explained(four, AMPLIFIER)?;
    assert_eq!(explained.reason.as_deref(), Some("amplifier"));
    let step = explained.steps.last().context("no steps")?;
    let finding = "`amplifiers`, which is on in `[firewall.sanity]`, drops it";
    assert_eq!((step.stage.as_str(), step.finding.as_str()), ("sanity", finding));

    let changed = echoes.apply_all(&with(&echoes, "", "sanity = { amplifiers = false }"))?;
    assert_eq!(changed.changes, ["changed service six"]);
    ensure!(both(&echoes)? == (0, 10), "only one has the exception");
    echoes.sluice.kill9();
    ensure!(both(&echoes)? == (0, 10), "without a daemon");
    echoes.sluice.restart()?;
    ensure!(both(&echoes)? == (0, 10), "with the next one");

    let node_off = "firewall.sanity = { amplifiers = false, land = false }";
    let changed = echoes.apply_all(&with(&echoes, node_off, "sanity = { amplifiers = true }"))?;
    let sentences = ["changed service six", "sanity check land: off", "sanity check amplifiers: off"];
    assert_eq!(changed.changes, sentences);
    ensure!(both(&echoes)? == (10, 0), "the other way round");
    Ok(())
}

#[test]
fn bogons_are_a_list_that_no_command_changes() -> anyhow::Result<()> {
    let echoes = Echoes::start("")?;
    let (four, six) = (Family::V4.host(9, 1), Family::V6.host(9, 1));
    echoes.apply_all(&with(&echoes, "firewall.sanity.bogons = true", "sanity = { bogons = false }"))?;
    ensure!(echoes.answered(four, 0, 10)? == 0, "{four} is a bogon");
    ensure!(echoes.answered(six, 0, 10)? == 10, "the service has an exception");
    let test: ListTest = echoes.sluice.json(&["deny", "test", &four.to_string(), "--list", "bogons"])?;
    assert_eq!(test.outcome, "passed on: no list covers it; at four, denied by 10.0.0.0/8 of the list bogons");
    assert_eq!(test.found[0].entry.reason.as_deref(), Some("private use (RFC 1918)"));
    let lists: Vec<List> = echoes.sluice.json(&["deny", "stats"])?;
    assert_eq!(lists.iter().find(|list| list.name == "bogons").context("no such list")?.packets, 10);
    // What is itself in private space is not refused for that, nor can the list be changed.
    for words in [
        &["deny", "add", "192.0.2.0/24", "--list", "bogons"][..],
        &["deny", "add", "192.0.2.0/24", "--list", "bogons", "--for", "10s"],
        &["deny", "remove", "10.0.0.0/8", "--list", "bogons"],
        &["deny", "import", "/dev/null", "--list", "bogons"],
    ] {
        let answer = echoes.sluice.cli(words)?;
        ensure!(answer.stderr.contains("the list `bogons` is built in"), "{words:?}: {}", answer.stderr);
    }
    echoes.sluice.succeed(&["allow", "add", "10.9.0.0/24"])?;
    ensure!(echoes.answered(four, 0, 10)? == 10, "allow lists come first");
    Ok(())
}
