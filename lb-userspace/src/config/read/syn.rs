//! `[syn]`: what SYN protection does.

use std::{ops::RangeInclusive, time::Duration};

use super::{section::Section, value::Value};
use crate::{
    config::report::{At, Report},
    model::{Syn, SynProtection},
};

/// The values of `syn_protection` of a service.
pub(super) const PROTECTIONS: [(&str, SynProtection); 4] = [
    ("off", SynProtection::Off),
    ("auto", SynProtection::Auto),
    ("always", SynProtection::Always),
    ("monitor", SynProtection::Monitor),
];

const KEYS: [&str; 7] = ["enter", "leave", "hold", "keep", "per_source", "answers", "retries"];
/// More than any card receives.
const RATES: RangeInclusive<i64> = 1..=1_000_000_000;
const HOLDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// A source is let in for longer than a cookie is good for, so that nothing is gained by sending one again.
const KEEPS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(24 * 3600);

/// Reads the section, if there is one. Who names only one of `enter` and `leave` wants the other in proportion.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Syn {
    let section = value.and_then(|value| Section::open(&value, "`syn`", &KEYS, report));
    let get = |key| section.as_ref().and_then(|section| section.get(key));
    let usual = Syn::default();
    let enter = get("enter").and_then(|value| Some(value.at(value.integer::<u32>(RATES, report)?)));
    let leave = get("leave").and_then(|value| Some(value.at(value.integer::<u32>(RATES, report)?)));
    let (enter, leave) = match (enter, leave) {
        (Some(enter), Some(leave)) => {
            leaves_below(&enter, &leave, report);
            (enter.value, leave.value)
        }
        (Some(enter), None) => (enter.value, (enter.value / 2).max(1)),
        (None, Some(leave)) => (leave.value.saturating_mul(2), leave.value),
        (None, None) => (usual.enter, usual.leave),
    };
    let mut rate = |key, usual| get(key).and_then(|value| value.integer(RATES, report)).unwrap_or(usual);
    let (answers, retries) = (rate("answers", usual.answers), rate("retries", usual.retries));
    Syn {
        enter,
        leave,
        hold: get("hold").and_then(|value| value.duration(HOLDS, report)).unwrap_or(usual.hold),
        keep: get("keep").and_then(|value| value.duration(KEEPS, report)).unwrap_or(usual.keep),
        per_source: get("per_source")
            .and_then(|value| value.integer(1..=i64::from(u16::MAX), report))
            .unwrap_or(usual.per_source),
        answers,
        retries,
    }
}

fn leaves_below(enter: &At<u32>, leave: &At<u32>, report: &mut Report<'_>) {
    if leave.value > enter.value {
        let message = format!(
            "`leave` is {}, and `enter` is {}, in line {}: protection would end before it begins",
            leave.value,
            enter.value,
            report.line(enter.span.start)
        );
        report.error(&leave.span, message, "let `leave` be smaller than `enter`: half of it, say");
    }
}
