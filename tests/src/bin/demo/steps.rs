//! What is done, and what must come of it.

use std::{io::Write, time::Duration};

use lb_userspace::api::types::{BackendState, Drops, List};
use tests::traffic::{Load, Report};

use crate::{
    interrupt::pause,
    network::{CLIENT, Network},
    report::{Expectation, Outcome},
};

/// From the command to the traffic that is judged by it: the last answers of the old order arrive.
const SETTLE: Duration = Duration::from_millis(300);
/// After this even the requests that were denied have failed: the load's timeout and some more.
const SETTLE_DENIED: Duration = Duration::from_millis(1500);
/// After this every request that a drained backend had is answered.
const SETTLE_DRAINED: Duration = Duration::from_secs(1);
/// The traffic that a step is judged by.
const MEASURE: Duration = Duration::from_secs(3);

/// One step.
pub(crate) struct Step {
    /// What it shows.
    pub(crate) name: &'static str,
    /// What is done, as an operator would type it.
    pub(crate) done: &'static str,
    /// Does it, and returns once it is in effect, with a remark if there is something to say.
    act: fn(&mut Network) -> anyhow::Result<Option<String>>,
    /// What the client must see from then on.
    pub(crate) expectation: Expectation,
    /// Whether requests may fail meanwhile, and the excuse.
    pub(crate) excuse: Option<&'static str>,
    settle: Duration,
}

const STEPS: [Step; 11] = [
    Step {
        name: "spread over three",
        done: "sluice run",
        act: |_| Ok(None),
        expectation: Expectation::Weights([100, 100, 100]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "drain web2",
        done: "sluice backend drain web web2",
        act: |network| command(network, &["backend", "drain", "web", "web2"]),
        expectation: Expectation::Weights([100, 0, 100]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "take web2 back",
        done: "sluice backend undrain web web2",
        act: |network| command_until_up(network, &["backend", "undrain", "web", "web2"], "web2"),
        expectation: Expectation::Weights([100, 100, 100]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "remove web3",
        done: "sluice backend drain web web3; … remove web web3",
        act: drain_and_remove_web3,
        expectation: Expectation::Weights([100, 100, 0]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "add web3 again",
        done: "sluice backend add web 10.9.0.13 --name web3",
        act: |network| command_until_up(network, &["backend", "add", "web", "10.9.0.13", "--name", "web3"], "web3"),
        expectation: Expectation::Weights([100, 100, 100]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "halve web1's weight",
        done: "sluice backend weight web web1 50",
        act: |network| command(network, &["backend", "weight", "web", "web1", "50"]),
        expectation: Expectation::Weights([50, 100, 100]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "restore web1's weight",
        done: "sluice backend weight web web1 100",
        act: |network| command(network, &["backend", "weight", "web", "web1", "100"]),
        expectation: Expectation::Weights([100, 100, 100]),
        excuse: None,
        settle: SETTLE,
    },
    Step {
        name: "deny the client",
        done: "sluice deny add 10.9.0.1",
        act: |network| command(network, &["deny", "add", CLIENT]),
        expectation: Expectation::Denied,
        excuse: Some("because the client is denied"),
        settle: SETTLE,
    },
    Step {
        name: "let it in again",
        done: "sluice deny remove 10.9.0.1",
        act: |network| command(network, &["deny", "remove", CLIENT]),
        expectation: Expectation::Weights([100, 100, 100]),
        excuse: Some("begun while the client was denied"),
        settle: SETTLE_DENIED,
    },
    Step {
        name: "kill web1's nginx",
        done: "kill -9, then its check takes it out",
        act: kill_web1,
        expectation: Expectation::Weights([0, 100, 100]),
        excuse: Some("sent to web1 until its check noticed"),
        settle: SETTLE,
    },
    Step {
        name: "web1 returns",
        done: "nginx started, its check takes it in",
        act: revive_web1,
        expectation: Expectation::Weights([100, 100, 100]),
        excuse: None,
        settle: SETTLE,
    },
];

/// Performs all steps, with a line for each while it goes on.
pub(crate) fn perform_all(network: &mut Network, load: &Load) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (index, step) in STEPS.iter().enumerate() {
        print!("{:>2}. {:<22} {:<46} ", index + 1, step.name, step.done);
        std::io::stdout().flush()?;
        let outcome = perform(step, network, load);
        println!("{}", outcome.as_ref().map_or_else(|_| "not finished".into(), Outcome::line));
        outcomes.push(outcome?);
    }
    Ok(outcomes)
}

fn perform(step: &'static Step, network: &mut Network, load: &Load) -> anyhow::Result<Outcome> {
    let counted_before = denied_packets(network)?;
    let remark = (step.act)(network)?;
    pause(step.settle)?;
    let meanwhile = load.take();
    let (measured, counted) = measure(network, load, counted_before)?;
    Ok(Outcome::new(step, remark, meanwhile, measured, counted))
}

fn measure(network: &Network, load: &Load, counted_before: [u64; 2]) -> anyhow::Result<(Report, [u64; 2])> {
    pause(MEASURE)?;
    let measured = load.take();
    let counted = denied_packets(network)?;
    Ok((measured, [0, 1].map(|index| counted[index].saturating_sub(counted_before[index]))))
}

/// The packets that the deny list matched, and those that were dropped for it: two counters that must agree.
fn denied_packets(network: &Network) -> anyhow::Result<[u64; 2]> {
    let list: List = network.sluice.json(&["deny", "list"])?;
    let drops: Drops = network.sluice.json(&["drops", "--all"])?;
    Ok([list.packets, drops.reasons.get("denied").map_or(0, |count| count.packets)])
}

fn command(network: &mut Network, arguments: &[&str]) -> anyhow::Result<Option<String>> {
    network.sluice.succeed(arguments)?;
    Ok(None)
}

/// Removing a backend ends what it still serves, so an operator drains it first.
fn drain_and_remove_web3(network: &mut Network) -> anyhow::Result<Option<String>> {
    network.sluice.succeed(&["backend", "drain", "web", "web3"])?;
    pause(SETTLE_DRAINED)?;
    command(network, &["backend", "remove", "web", "web3"])
}

fn command_until_up(network: &mut Network, arguments: &[&str], web: &str) -> anyhow::Result<Option<String>> {
    network.sluice.succeed(arguments)?;
    let took = network.await_state(web, BackendState::Up)?;
    Ok(Some(format!("up after {:.1} s", took.as_secs_f64())))
}

fn kill_web1(network: &mut Network) -> anyhow::Result<Option<String>> {
    network.webs[0].nginx.kill();
    let took = network.await_state("web1", BackendState::Down)?;
    Ok(Some(format!("down after {:.1} s", took.as_secs_f64())))
}

fn revive_web1(network: &mut Network) -> anyhow::Result<Option<String>> {
    network.webs[0].nginx.restart()?;
    let took = network.await_state("web1", BackendState::Up)?;
    Ok(Some(format!("up after {:.1} s", took.as_secs_f64())))
}
