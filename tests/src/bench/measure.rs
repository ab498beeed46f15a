//! Rounds of a case and its floor in turn.

use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use aya::programs::ProgramFd;
use lb_common::{BenchPacket, RowState};
use lb_userspace::plan::Snapshot;

use super::{
    case::Case,
    harness::{Harness, Runs},
    host::{self, Outcome, action_name},
    node::Node,
    packet::Template,
    report::{Row, Statistic},
    sandbox::Uplink,
};
use crate::tables::FlowMemory;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds; each measures the floor and then the case.
    pub rounds: usize,
    /// Runs of the program in each.
    pub repeat: u32,
}

/// What the rounds showed.
#[derive(Debug)]
pub struct Samples {
    total_ns: Vec<f64>,
    floor_ns: Vec<f64>,
    /// The last run of the subject.
    pub last: Runs,
}

impl Samples {
    /// Nanoseconds a packet: of the case, of its floor, and what is left.
    ///
    /// The net median is that of the rounds' differences: both halves of a round met the same neighbours.
    pub fn statistics(&self) -> [Statistic; 3] {
        let differences: Vec<f64> =
            self.total_ns.iter().zip(&self.floor_ns).map(|(total, floor)| total - floor).collect();
        let (total, floor) = (Statistic::of(&self.total_ns), Statistic::of(&self.floor_ns));
        let net = Statistic { min: total.min - floor.min, median: Statistic::of(&differences).median };
        [total, floor, net]
    }
}

/// Measures a program against its floor, in turn.
///
/// # Errors
///
/// The kernel refuses.
pub fn alternate(
    harness: &mut Harness,
    packet: BenchPacket,
    frame: &[u8],
    subject: &ProgramFd,
    floor: &ProgramFd,
    effort: Effort,
) -> Result<Samples> {
    harness.restore(packet)?;
    // The first run meets cold caches and a program that is only now patched into its caller.
    let mut last = harness.run(subject, frame, effort.repeat.min(10_000))?;
    let (mut total_ns, mut floor_ns) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        floor_ns.push(harness.run(floor, frame, effort.repeat)?.ns);
        last = harness.run(subject, frame, effort.repeat)?;
        total_ns.push(last.ns);
    }
    Ok(Samples { total_ns, floor_ns, last })
}

/// Measures a case, and checks what came out of it.
///
/// # Errors
///
/// The kernel refuses, or its answer is not the host library's.
pub fn case(harness: &mut Harness, case: &Case, uplink: Uplink, effort: Effort) -> Result<Row> {
    let mut subject = Node::new("subject", &case.model(), uplink)?;
    if case.sampled {
        subject.look_at_drops()?;
    }
    let mut unlisted = match case.has_firewall() {
        false => None,
        true => Some(Node::new("unlisted", &case.unlisted_model(), uplink)?),
    };
    let floor = match &mut unlisted {
        Some(node) => node.program()?,
        None => harness.floor.try_clone()?,
    };
    if let Some(opening) = &case.opening {
        let frame = opening.build()?;
        harness.restore(case.walk.wrap(&frame)?)?;
        harness.run(&subject.program()?, &frame, 1)?;
    }
    let frame = case.template.build()?;
    let packet = case.walk.wrap(&frame)?;
    let remembered = match case.rows {
        RowState::Settled => None,
        state => Some(remember(harness, case, packet, &frame, &mut subject, state)?),
    };
    let samples = alternate(harness, packet, &frame, &subject.program()?, &floor, effort)?;
    check(case, packet, &subject, remembered.as_ref(), uplink, &samples.last)
        .with_context(|| format!("case {}", case.name))?;
    let [total_ns, floor_ns, net_ns] = samples.statistics();
    Ok(Row {
        case: case.name.to_owned(),
        flows: case.flows_walked(),
        entries: case.entries,
        bytes: frame.len(),
        verdict: action_name(samples.last.outcome.action),
        total_ns,
        floor_ns,
        net_ns,
    })
}

/// Unsettles the rows after the flow table has learnt the flows, on other backends than new ones would go to. What it has
/// learnt them by is returned: the tables with all rows moving.
fn remember(
    harness: &mut Harness,
    case: &Case,
    packet: BenchPacket,
    frame: &[u8],
    subject: &mut Node,
    state: RowState,
) -> Result<Snapshot> {
    subject.set_rows(RowState::Moving)?;
    let moving = subject.snapshot.clone();
    harness.restore(packet)?;
    // A flow's second packet confirms what the first has left.
    harness.run(&subject.program()?, frame, 2 * u32::try_from(case.flows_walked())?)?;
    if state != RowState::Moving {
        subject.set_rows(state)?;
    }
    Ok(moving)
}

/// The last packet that left the kernel must be, byte for byte, what the host library makes of the last that entered.
/// The latter is built anew, so that it also tests the wrapper's checksums. If the kernel's flow table knows its flow, the
/// host's learns it in the same way.
fn check(
    case: &Case,
    packet: BenchPacket,
    node: &Node,
    remembered: Option<&Snapshot>,
    uplink: Uplink,
    runs: &Runs,
) -> Result<()> {
    let step = if case.walk.flow_bits == 0 { (0, 0) } else { packet.step(runs.last) };
    let template = case.template.moved(step);
    let opening = case.opening.as_ref().map(Template::build).transpose()?;
    let (frame, flows) = (template.build()?, Rc::new(FlowMemory::new(1, 0)));
    if let Some(tables) = remembered.filter(|_| node.knows(&template.flow())) {
        host::process(std::slice::from_ref(&frame), tables, &flows, uplink);
    }
    let frames: Vec<Vec<u8>> = opening.into_iter().chain([frame]).collect();
    let expected = host::process(&frames, &node.snapshot, &flows, uplink);
    ensure!(
        runs.outcome == expected,
        "the kernel's answer is not the host library's:\n  kernel {}\n  host   {}",
        describe(&runs.outcome),
        describe(&expected)
    );
    Ok(())
}

fn describe(outcome: &Outcome) -> String {
    let hex: String = outcome.frame.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {hex}", action_name(outcome.action))
}
