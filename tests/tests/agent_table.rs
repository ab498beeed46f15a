//! The agent's table, through the library and through the loaded program.

use anyhow::Result;
use tests::{
    cases::{
        agent::{self, AgentCase},
        agent_run::{self, Agent, Left},
    },
    packet::{difference, oracle},
};

fn complaint(case: &AgentCase, (frame, hits): &Left) -> Option<String> {
    let (expected_frame, expected_hits) = agent_run::expected(case);
    (*frame != expected_frame || *hits != expected_hits).then(|| {
        let frames = difference(&expected_frame, frame);
        format!("{}: expected {expected_hits:?}, found {hits:?}\n{frames}", case.name)
    })
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} cases failed:\n\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_library_does_what_the_table_says() {
    let complaints =
        agent::table().iter().filter_map(|case| complaint(case, &agent_run::host(case))).collect::<Vec<_>>();
    assert_none(&complaints);
}

#[test]
fn the_loaded_agent_does_what_the_table_says() -> Result<()> {
    let mut agent = Agent::load()?;
    let mut complaints = Vec::new();
    for case in agent::table() {
        complaints.extend(complaint(&case, &agent.run(&case)?));
    }
    assert_none(&complaints);
    Ok(())
}

#[test]
fn what_is_left_is_valid() {
    for case in agent::table() {
        if let Some(frame) = &case.unwrapped {
            oracle::check(frame).unwrap_or_else(|error| panic!("{}: {error:#}", case.name));
        }
    }
}
