//! `bench datapath`: nanoseconds a packet.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{ProgramFd, ProgramInfo};
use clap::Args;
use tests::bench::{
    case::{self, CLIENT},
    harness::Harness,
    host::action_name,
    measure::{self, Effort},
    packet::Walk,
    report::{Report, Row},
    sandbox,
};

#[derive(Debug, Args)]
pub(crate) struct Datapath {
    /// Only the cases whose names contain this
    #[arg(long, value_name = "PATTERN", default_value = "")]
    case: String,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Rounds of each case
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets in each half of a round
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// The CPU to measure on
    #[arg(long, value_name = "N", default_value_t = 0)]
    cpu: usize,
    /// Measure this pinned XDP program instead of Sluice
    #[arg(long, value_name = "PIN", requires = "packets")]
    program: Option<PathBuf>,
    /// Its packets: lines of a name, the number of flow bits (0: one flow) and the frame in hexadecimal
    #[arg(long, value_name = "FILE", requires = "program")]
    packets: Option<PathBuf>,
}

/// Measures the cases.
pub(crate) fn run(arguments: &Datapath) -> Result<()> {
    let report = report(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

fn report(arguments: &Datapath) -> Result<Report> {
    let effort = Effort { rounds: arguments.rounds as usize, repeat: arguments.repeat };
    sandbox::pin_to_cpu(arguments.cpu)?;
    let cases = match (&arguments.program, &arguments.packets) {
        (Some(pin), Some(packets)) => foreign(pin, packets, &arguments.case, effort)?,
        _ => sluice(&arguments.case, effort)?,
    };
    ensure!(!cases.is_empty(), "no case's name contains `{}`", arguments.case);
    Ok(Report { rounds: effort.rounds, repeat: effort.repeat, cases })
}

/// Sluice's own cases.
fn sluice(pattern: &str, effort: Effort) -> Result<Vec<Row>> {
    sandbox::enter()?;
    let uplink = sandbox::make_uplink(&CLIENT.to_string())?;
    let mut harness = Harness::load()?;
    let cases = case::all().into_iter().filter(|case| case.name.contains(pattern));
    cases.map(|case| measure::case(&mut harness, &case, uplink, effort)).collect()
}

/// Another program, with packets from a file. What comes out of it is not checked.
fn foreign(pin: &Path, packets: &Path, pattern: &str, effort: Effort) -> Result<Vec<Row>> {
    let program = ProgramInfo::from_pin(pin).with_context(|| format!("{}", pin.display()))?.fd()?;
    let text = fs::read_to_string(packets).with_context(|| format!("{}", packets.display()))?;
    let mut harness = Harness::around(&program)?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let (name, flow_bits, frame) = parse(line).with_context(|| format!("{}:{number}", packets.display()))?;
        if name.contains(pattern) {
            let row = foreign_case(&mut harness, &program, name, flow_bits, &frame, effort);
            rows.push(row.with_context(|| name.to_owned())?);
        }
    }
    Ok(rows)
}

fn foreign_case(
    harness: &mut Harness,
    program: &ProgramFd,
    name: &str,
    flow_bits: u32,
    frame: &[u8],
    effort: Effort,
) -> Result<Row> {
    let packet = Walk::clients(flow_bits).wrap(frame)?;
    let floor = harness.floor.try_clone()?;
    let samples = measure::alternate(harness, packet, frame, program, &floor, effort)?;
    let [total_ns, floor_ns, net_ns] = samples.statistics();
    Ok(Row {
        case: name.to_owned(),
        flows: 1 << flow_bits,
        entries: 0,
        bytes: frame.len(),
        verdict: action_name(samples.last.outcome.action),
        total_ns,
        floor_ns,
        net_ns,
    })
}

/// A line of a packet file.
fn parse(line: &str) -> Result<(&str, u32, Vec<u8>)> {
    let mut words = line.split_whitespace();
    let mut next = |what| words.next().with_context(|| format!("the {what} is missing"));
    let (name, flow_bits, hex) = (next("name")?, next("number of flow bits")?, next("frame")?);
    let flow_bits = flow_bits.parse().ok().filter(|bits| *bits < 32).context("flow bits are a number below 32")?;
    ensure!(hex.is_ascii() && hex.len() % 2 == 0, "the frame is not hexadecimal");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).context("the frame is not hexadecimal");
    Ok((name, flow_bits, (0..hex.len()).step_by(2).map(byte).collect::<Result<_>>()?))
}
