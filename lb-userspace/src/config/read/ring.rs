//! `ring`: how a service's ring is built.

use lb_common::RING_BITS;

use super::{section::Section, value::Value};
use crate::{
    config::{names, report::Report},
    model::{RingAlgorithm, RingSettings},
    ring,
};

const ALGORITHMS: [(&str, RingAlgorithm); 2] = [("quota", RingAlgorithm::Quota), ("maglev", RingAlgorithm::Maglev)];

/// Reads the settings; a key that is not there has its default.
pub(super) fn read(value: &Value<'_>, report: &mut Report<'_>) -> RingSettings {
    let default = RingSettings::default();
    let Some(section) = Section::open(value, "a ring", &["rows", "algorithm", "tolerance", "seed"], report) else {
        return default;
    };
    let permille = |fraction: f64| (fraction * 1000.0).round() as u32;
    RingSettings {
        bits: section.get("rows").and_then(|value| bits(&value, report)).unwrap_or(default.bits),
        algorithm: section
            .get("algorithm")
            .and_then(|value| value.one_of(&ALGORITHMS, report))
            .unwrap_or(default.algorithm),
        tolerance_permille: section
            .get("tolerance")
            .and_then(|value| value.fraction(0.0..=1.0, report))
            .map_or(default.tolerance_permille, permille),
        seed: section.get("seed").and_then(|value| value.parsed(names::name, report)).map(|seed| ring::identity(&seed)),
    }
}

fn bits(value: &Value<'_>, report: &mut Report<'_>) -> Option<u32> {
    let (smallest, largest) = (1 << RING_BITS.start(), 1 << RING_BITS.end());
    let rows: u32 = value.integer(smallest..=largest, report)?;
    if rows.is_power_of_two() {
        return Some(rows.ilog2());
    }
    let below = 1 << rows.ilog2();
    let help = format!("the nearest that are one are {below} and {}", below * 2);
    report.error(&value.span, format!("`rows` is {rows}, which is not a power of two"), help);
    None
}
