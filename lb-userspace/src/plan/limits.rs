//! The firewall's rate limits as lines.

use std::collections::BTreeMap;

use lb_common::{Address, LimitFlags, LimitLine, LimitMeasure, MAX_LIMITS, RuleBlock, Traits};

use super::{
    Snapshot,
    rules::{numbers, short_name},
};
use crate::{
    model::{Firewall, Limit, LimitAction, LimitBy, RuleAction, measure_name},
    ring,
};

/// Below this window the coarse clock, whose steps may be ten milliseconds, would let too little pass.
const FINE_BELOW_NS: u64 = 100_000_000;

/// Puts the limits into a block, and returns those that all packets are held to, a bit for each.
///
/// A limit keeps its number, and with it its counters, for as long as it keeps its name.
pub(super) fn put(
    firewall: &Firewall,
    ids: &BTreeMap<String, u32>,
    before: Option<&RuleBlock>,
    block: &mut RuleBlock,
) -> u16 {
    let known = before.map_or([0; MAX_LIMITS], |block| block.limits.map(|limit| limit.name));
    let numbers = numbers(firewall.limits.iter().map(|limit| short_name(&limit.name)), &known);
    let mut everywhere = 0;
    for (limit, &number) in firewall.limits.iter().zip(&numbers) {
        block.limits[usize::from(number)] = line(limit);
        if is_of_rules(limit, firewall) {
            continue;
        }
        let bit = 1 << number;
        if limit.services.is_empty() {
            everywhere |= bit;
        }
        for id in limit.services.iter().filter_map(|service| ids.get(service)) {
            block.scopes[Traits::service_index(Traits::service(*id as u16))] |= bit;
        }
    }
    everywhere
}

/// The number of each limit in a block, by name.
pub(super) fn numbers_by_name<'a>(limits: &'a [Limit], block: &RuleBlock) -> BTreeMap<&'a str, u8> {
    let number = |limit: &Limit| block.limits.iter().position(|line| line.name == short_name(&limit.name));
    limits.iter().filter_map(|limit| Some((limit.name.as_str(), number(limit)? as u8))).collect()
}

/// The number of a limit, which its counters have.
pub fn limit_number(limit: &Limit, snapshot: &Snapshot) -> Option<u32> {
    let block = snapshot.rules.get(&snapshot.settings.rules.bank)?;
    numbers_by_name(std::slice::from_ref(limit), block).into_values().next().map(u32::from)
}

/// Whether it must be known which service a packet is for.
pub(super) fn is_scoped(limit: &Limit) -> bool {
    limit.by == LimitBy::Service || !limit.services.is_empty()
}

/// Numbers whose limit has another name than before, and numbers whose limit says something else.
pub(super) fn changed(from: &Snapshot, to: &Snapshot) -> (Vec<u32>, Vec<u32>) {
    let lines = |snapshot: &Snapshot| {
        let block = snapshot.rules.get(&snapshot.settings.rules.bank);
        block.map_or([LimitLine::default(); MAX_LIMITS], |block| block.limits)
    };
    let (before, after) = (lines(from), lines(to));
    let used = |number: &usize| after[*number].name != 0;
    let differing = |differs: fn(&LimitLine, &LimitLine) -> bool| {
        let numbers = (0..MAX_LIMITS).filter(used).filter(|&number| differs(&before[number], &after[number]));
        numbers.map(|number| number as u32).collect()
    };
    (differing(|before, after| before.name != after.name), differing(|before, after| before.seed != after.seed))
}

/// Whether a rule names the limit, so that it is for what the rule matches.
fn is_of_rules(limit: &Limit, firewall: &Firewall) -> bool {
    firewall.rules.iter().any(|rule| matches!(&rule.action, RuleAction::Limit(name) if *name == limit.name))
}

fn line(limit: &Limit) -> LimitLine {
    let (by, v4, v6) = match limit.by {
        LimitBy::All => (lb_common::LimitBy::All, 0, 0),
        LimitBy::Service => (lb_common::LimitBy::Service, 0, 0),
        LimitBy::Source { v4, v6 } => (lb_common::LimitBy::Source, Address::MAPPED_BITS as u8 + v4, v6),
    };
    let cost = cost(limit);
    let window_ns = ((u128::from(limit.burst) * u128::from(cost)) >> 16) as u64;
    let notice = if matches!(limit.action, LimitAction::Ban(_)) { LimitFlags::NOTICE } else { 0 };
    let fine = if window_ns < FINE_BELOW_NS { LimitFlags::FINE_CLOCK } else { 0 };
    LimitLine {
        seed: seed(limit),
        window_ns,
        cost,
        name: short_name(&limit.name),
        flags: notice | fine,
        v4_bits: v4,
        v6_bits: v6,
        kind: LimitLine::kind(by, limit.measure),
    }
}

/// Nanoseconds of one, in 65,536ths. What is counted whole costs whole ones, so that a burst is exactly that many.
fn cost(limit: &Limit) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    match limit.measure {
        LimitMeasure::Bytes => (SECOND << 16).div_ceil(limit.rate),
        LimitMeasure::Packets | LimitMeasure::Connections => SECOND.div_ceil(limit.rate) << 16,
    }
}

/// Follows from all that decides what a bucket means.
fn seed(limit: &Limit) -> u64 {
    let Limit { name, by, measure, rate, burst, .. } = limit;
    ring::identity(&format!("{name} {by} {} {rate} {burst}", measure_name(*measure)))
}
