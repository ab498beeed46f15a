//! Real clients, and what a balancer between them and real servers costs.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::{
    Effort,
    balancer::{BULK_PORT, Balancer, Stage, WEB_PORT},
};
use crate::{
    bench::report::Statistic,
    traffic::{Direction, Load, LoadOptions, Transfer, TransferOptions},
};

/// Connections that are open at the same time. Each asks once and is closed.
const CONNECTIONS: u32 = 16;
/// What passes before a measurement begins.
const WARM_UP: Duration = Duration::from_millis(200);
/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What clients saw of one balancer.
#[derive(Clone, Debug, Serialize)]
pub struct Clients {
    /// The balancer.
    pub balancer: String,
    /// Requests a second, each on a connection of its own.
    pub requests_per_second: Statistic,
    /// The time that half of the requests took at most.
    pub p50_us: Statistic,
    /// The time that 99 of 100 requests took at most.
    pub p99_us: Statistic,
    /// Seconds of all processors together, clients and servers included, for a million requests.
    pub cpu_s_per_million: Statistic,
    /// Megabits a second of one connection that sends to a server.
    pub upload_mbit: Statistic,
    /// Megabits a second of one connection that a server sends on.
    pub download_mbit: Statistic,
    /// Requests that failed.
    pub failed: u64,
}

/// What one round has shown.
struct Round {
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_s_per_million: f64,
    upload_mbit: f64,
    download_mbit: f64,
    failed: u64,
}

/// Rounds of all balancers in turn.
pub(super) fn measure(effort: Effort) -> Result<Vec<Clients>> {
    let stage = |balancer: Balancer| Stage::new(balancer).with_context(|| balancer.name());
    let stages = Balancer::all().map(stage).collect::<Result<Vec<_>>>()?;
    let mut rounds: Vec<Vec<Round>> = stages.iter().map(|_| Vec::new()).collect();
    for _ in 0..effort.rounds {
        for (stage, rounds) in stages.iter().zip(&mut rounds) {
            rounds.push(round(stage, effort).with_context(|| stage.balancer.name())?);
        }
    }
    Ok(stages.iter().zip(&rounds).map(|(stage, rounds)| clients(stage.balancer, rounds)).collect())
}

fn clients(balancer: Balancer, rounds: &[Round]) -> Clients {
    let of = |value: fn(&Round) -> f64| Statistic::of(&rounds.iter().map(value).collect::<Vec<_>>());
    Clients {
        balancer: balancer.name(),
        requests_per_second: of(|round| round.requests_per_second),
        p50_us: of(|round| round.p50_us),
        p99_us: of(|round| round.p99_us),
        cpu_s_per_million: of(|round| round.cpu_s_per_million),
        upload_mbit: of(|round| round.upload_mbit),
        download_mbit: of(|round| round.download_mbit),
        failed: rounds.iter().map(|round| round.failed).sum(),
    }
}

fn round(stage: &Stage, effort: Effort) -> Result<Round> {
    // The first reply to a neighbour that the node does not know yet may be lost, and is sent again after a second.
    let options = LoadOptions { connections: CONNECTIONS, timeout: Duration::from_secs(5), ..LoadOptions::default() };
    let load = Load::start(stage.client(), stage.target(WEB_PORT), options)?;
    thread::sleep(WARM_UP);
    let mut failed = load.take().failed();
    let (busy_s, start) = (busy_s()?, Instant::now());
    thread::sleep(effort.requests);
    let (report, seconds, busy_s) = (load.take(), start.elapsed().as_secs_f64(), self::busy_s()? - busy_s);
    drop(load);
    failed += report.failed();
    ensure!(report.answered() > 0, "no request was answered: {}", report.reasons());
    let answered = report.answered() as f64;
    let latency_us = |quantile| report.latency(quantile).unwrap_or_default().as_secs_f64() * 1e6;
    Ok(Round {
        requests_per_second: answered / seconds,
        p50_us: latency_us(0.5),
        p99_us: latency_us(0.99),
        cpu_s_per_million: busy_s / answered * 1e6,
        upload_mbit: bulk_mbit(stage, Direction::Upload, effort.bulk)?,
        download_mbit: bulk_mbit(stage, Direction::Download, effort.bulk)?,
        failed,
    })
}

/// What one connection carries. Every byte is compared.
fn bulk_mbit(stage: &Stage, direction: Direction, duration: Duration) -> Result<f64> {
    let options = TransferOptions { direction, size_bytes: u64::MAX, rate_bytes_per_second: None };
    let transfer = Transfer::start(stage.client(), stage.target(BULK_PORT), options)?;
    transfer.await_backend(Duration::from_secs(5))?;
    thread::sleep(WARM_UP);
    let (before, start) = (transfer.moved_bytes(), Instant::now());
    thread::sleep(duration);
    let (moved, seconds) = (transfer.moved_bytes() - before, start.elapsed().as_secs_f64());
    ensure!(moved > 0, "a transfer stands still");
    Ok(moved as f64 * 8.0 / seconds / 1e6)
}

/// How long all processors together have been busy.
fn busy_s() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let numbers = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = numbers.map_while(|word| word.parse().ok()).collect();
    // user, nice, system, idle, waiting, interrupts, soft interrupts (proc(5)).
    let [user, nice, system, _, _, hard, soft, ..] = ticks[..] else { anyhow::bail!("/proc/stat is not as expected") };
    Ok((user + nice + system + hard + soft) as f64 / TICKS_PER_SECOND)
}
