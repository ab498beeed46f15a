//! `bench flood`: what real clients get done while a service is flooded with SYNs.
//!
//! Problem: what protection costs a packet (`bench datapath`) says nothing of whom it helps. Mechanism: clients ask for a page, each
//! time on a new connection and no more often than a machine that is not busy can answer; first in peace, then while made-up
//! sources send SYNs to the same port. The servers' queues of half-open connections are short and they make no cookies, so that the
//! flood hurts. Subjects take turns in rounds. Trade-off: on a machine of two processors the generator, clients and servers
//! compete with what stands between them; the flood is of a rate that leaves them time.

mod report;
mod stage;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub use self::report::Report;
use self::stage::{Shield, Stage};
use crate::{
    bench::report::Statistic,
    traffic::{Flood, FloodOptions, Load, LoadOptions},
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of everything.
    pub rounds: usize,
    /// How long clients ask in peace, and how long in the flood.
    pub requests: Duration,
    /// SYNs a second.
    pub rate_per_second: u32,
}

/// Clients, each with a connection at a time.
const CLIENTS: u32 = 8;
/// Connections a second of all clients together.
const OFFERED_PER_SECOND: f64 = 400.0;
/// A connection that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);
/// What passes between the beginning of a flood and that of a measurement: protection that begins by itself takes two seconds, and
/// the server gives up what came before after seven.
const WARM_UP: Duration = Duration::from_secs(10);
/// What passes after a flood, so that half-open connections and protection are over.
const COOL_DOWN: Duration = Duration::from_secs(1);

/// What clients got done behind one thing.
#[derive(Clone, Debug, Serialize)]
pub struct Goodput {
    /// What it was.
    pub shield: String,
    /// Answers a second in peace.
    pub peace_per_second: Statistic,
    /// Answers a second in the flood.
    pub flood_per_second: Statistic,
    /// The latter over the former, round by round.
    pub share: Statistic,
    /// The time that half of the requests took at most in the flood, in milliseconds; those that failed took none.
    pub p50_ms: Statistic,
    /// The same of 99 of 100.
    pub p99_ms: Statistic,
    /// Requests that failed in the flood.
    pub failed: u64,
    /// SYNs of the flood a second.
    pub flood_rate: Statistic,
}

/// One round.
struct Round {
    peace: f64,
    flood: f64,
    p50_ms: f64,
    p99_ms: f64,
    failed: u64,
    rate: f64,
}

/// Measures everything. What the machine cannot do is left out, and named.
///
/// # Errors
///
/// No permission, or a program that is not there.
pub fn run(effort: Effort) -> Result<Report> {
    let (mut stages, mut missing) = (Vec::new(), Vec::new());
    for shield in Shield::ALL {
        match Stage::new(shield) {
            Ok(stage) => stages.push((stage, Vec::new())),
            Err(error) if shield == Shield::Synproxy => missing.push(format!("{}: {error:#}", shield.name())),
            Err(error) => return Err(error).context(shield.name()),
        }
    }
    for _ in 0..effort.rounds {
        for (stage, rounds) in &mut stages {
            rounds.push(round(stage, effort).with_context(|| stage.shield.name())?);
        }
    }
    let goodput = stages.iter().map(|(stage, rounds)| goodput(stage.shield, rounds)).collect();
    Ok(Report { rounds: effort.rounds, rate_per_second: effort.rate_per_second, goodput, missing })
}

fn goodput(shield: Shield, rounds: &[Round]) -> Goodput {
    let of = |value: fn(&Round) -> f64| Statistic::of(&rounds.iter().map(value).collect::<Vec<_>>());
    Goodput {
        shield: shield.name().to_owned(),
        peace_per_second: of(|round| round.peace),
        flood_per_second: of(|round| round.flood),
        share: of(|round| round.flood / round.peace),
        p50_ms: of(|round| round.p50_ms),
        p99_ms: of(|round| round.p99_ms),
        failed: rounds.iter().map(|round| round.failed).sum(),
        flood_rate: of(|round| round.rate),
    }
}

fn round(stage: &Stage, effort: Effort) -> Result<Round> {
    let options = LoadOptions {
        connections: CLIENTS,
        rate_per_second: Some(OFFERED_PER_SECOND),
        timeout: TIMEOUT,
        ..LoadOptions::default()
    };
    let load = Load::start(stage.client(), stage.target(), options)?;
    thread::sleep(COOL_DOWN);
    load.take();
    let start = Instant::now();
    thread::sleep(effort.requests);
    let peace = load.take().answered() as f64 / start.elapsed().as_secs_f64();

    let flood = Flood::start(
        stage.attacker(),
        FloodOptions {
            target: stage.target(),
            gateway: stage.gateway()?,
            rate_per_second: effort.rate_per_second,
            longest: WARM_UP + effort.requests + Duration::from_secs(10),
        },
    )?;
    thread::sleep(WARM_UP);
    load.take();
    let (start, sent) = (Instant::now(), flood.sent());
    thread::sleep(effort.requests);
    let (report, seconds, sent) = (load.take(), start.elapsed().as_secs_f64(), flood.sent() - sent);
    flood.stop()?;
    load.stop()?;
    thread::sleep(COOL_DOWN);
    let latency_ms = |quantile| report.latency(quantile).unwrap_or_default().as_secs_f64() * 1e3;
    Ok(Round {
        peace,
        flood: report.answered() as f64 / seconds,
        p50_ms: latency_ms(0.5),
        p99_ms: latency_ms(0.99),
        failed: report.failed(),
        rate: sent as f64 / seconds,
    })
}
