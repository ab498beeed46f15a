//! Packets a second, through Sluice and through less.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::{
    Effort,
    mode::{MODES, Mode},
    road::{FRAME_BYTES, Passed, Place, Road},
};
use crate::{
    bench::report::Statistic,
    lab::{Sluice, node_section, service_section},
};

/// How many backends there are.
const BACKENDS: u8 = 20;
/// The service's address. The node has no other traffic.
const SERVICE: &str = "192.0.2.80:80";

/// What stands in the middle of the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    /// The road ends there.
    Nothing,
    /// The MAC addresses are swapped.
    Bare,
    /// Sluice.
    Sluice(Mode),
}

/// The packets that passed one thing in the middle of the road.
#[derive(Clone, Debug, Serialize)]
pub struct Packets {
    /// What stood there: `sink`, `bare`, or a delivery of Sluice.
    pub subject: String,
    /// Packets a second.
    pub per_second: Statistic,
    /// Over those that passed the bare forwarder in the same round.
    pub of_bare: Statistic,
    /// The run time of the thread that received, forwarded and sank them, in nanoseconds a packet.
    pub cpu_ns: Statistic,
}

/// Rounds of everything in turn.
pub(super) fn measure(effort: Effort) -> Result<Vec<Packets>> {
    let service: SocketAddr = SERVICE.parse()?;
    let mut lanes = Vec::new();
    for middle in [Middle::Nothing, Middle::Bare].into_iter().chain(MODES.map(Middle::Sluice)) {
        lanes.push(Lane::new(middle, service).with_context(|| middle.name())?);
    }
    for _ in 0..effort.rounds {
        for lane in &mut lanes {
            lane.round(effort.packets)?;
        }
    }
    let bare: Vec<f64> = lanes.iter().filter(|lane| lane.middle == Middle::Bare).flat_map(Lane::rates).collect();
    Ok(lanes.iter().map(|lane| lane.packets(&bare)).collect())
}

impl Middle {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "sink",
            Self::Bare => "bare",
            Self::Sluice(mode) => mode.name,
        }
    }
}

/// A road with one thing in its middle, and what has passed.
struct Lane {
    middle: Middle,
    // Before the road: it forwards in one of the road's namespaces until it is detached.
    _sluice: Option<Sluice>,
    road: Road,
    passed: Vec<Passed>,
}

impl Lane {
    fn new(middle: Middle, service: SocketAddr) -> Result<Self> {
        let road = Road::build(service)?;
        let sluice = match middle {
            Middle::Sluice(mode) => Some(start(&road, service, mode)?),
            Middle::Nothing | Middle::Bare => None,
        };
        Ok(Self { middle, _sluice: sluice, road, passed: Vec::new() })
    }

    fn round(&mut self, duration: Duration) -> Result<()> {
        let passed = match self.middle {
            Middle::Nothing => self.road.through_bare(Place::Node, duration),
            Middle::Bare => self.road.through_bare(Place::Sink, duration),
            Middle::Sluice(_) => self.road.send(Place::Sink, duration),
        };
        let passed = passed.with_context(|| self.middle.name())?;
        self.check(passed)?;
        self.passed.push(passed);
        Ok(())
    }

    /// Everything that arrived has the length that it should have.
    fn check(&self, passed: Passed) -> Result<()> {
        let added = if let Middle::Sluice(mode) = self.middle { mode.added_bytes } else { 0 };
        let (expected, mean) = (FRAME_BYTES + added, passed.bytes as f64 / passed.packets as f64);
        let name = self.middle.name();
        ensure!((mean - expected as f64).abs() < 0.01, "{name}: packets of {mean} bytes, not of {expected}");
        Ok(())
    }

    fn rates(&self) -> impl Iterator<Item = f64> {
        self.passed.iter().map(|passed| passed.packets as f64 / passed.seconds)
    }

    fn packets(&self, bare: &[f64]) -> Packets {
        let rates: Vec<f64> = self.rates().collect();
        let ratios: Vec<f64> = rates.iter().zip(bare).map(|(rate, bare)| rate / bare).collect();
        let costs: Vec<f64> = self.passed.iter().map(|passed| passed.run_ns as f64 / passed.packets as f64).collect();
        Packets {
            subject: self.middle.name().to_owned(),
            per_second: Statistic::of(&rates),
            of_bare: Statistic::of(&ratios),
            cpu_ns: Statistic::of(&costs),
        }
    }
}

/// Starts Sluice in the middle of a road, with backends that are never asked for their MAC addresses.
fn start(road: &Road, service: SocketAddr, mode: Mode) -> Result<Sluice> {
    let backends: Vec<_> = (1..=BACKENDS).map(|number| (format!("b{number}"), [10, 1, 0, number].into())).collect();
    for number in 1..=BACKENDS {
        let neighbour = format!("10.1.0.{number} lladdr 02:00:00:01:00:{number:02x}");
        road.node.ip(&format!("neighbour add {neighbour} dev {} nud permanent", road.back))?;
    }
    let configuration =
        node_section(&[&road.front, &road.back]) + &service_section("road", &mode.settings(service), &backends);
    let sluice = Sluice::start(&road.node, &configuration)?;
    sluice.await_ready()?;
    Ok(sluice)
}
