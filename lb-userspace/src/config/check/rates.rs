//! The firewall's rate limits: by themselves, and with the rules that name them.

use std::{collections::HashMap, time::Duration};

use lb_common::{MAX_LIMITS, MAX_WINDOW_NS};

use super::rules::services_exist;
use crate::{
    config::{
        fault::quote,
        names::{listed, nearest},
        report::{At, Report},
        written::{Written, WrittenLimit},
    },
    model::{LimitAction, LimitBy, LimitMeasure, RuleAction},
};

/// The longest time that an empty bucket takes to fill.
const LONGEST: Duration = Duration::from_nanos(MAX_WINDOW_NS);

/// Limits have names of their own, can be kept, and are what rules say.
pub(super) fn check(written: &Written, report: &mut Report<'_>) {
    let limits = &written.limits;
    names_are_unique(limits, report);
    for limit in limits {
        burst_fits(limit, report);
        sources_can_be_banned(limit, report);
        services_exist(&limit.services, "limit", &written.services, report);
    }
    if let Some(limit) = limits.get(MAX_LIMITS) {
        let message = format!("there are {} limits, and there is room for {MAX_LIMITS}", limits.len());
        report.error(&limit.span, message, "let services share a limit, with `by = \"service\"` or in `services`");
    }
    rules_name_limits(written, report);
}

fn names_are_unique(limits: &[WrittenLimit], report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for name in limits.iter().filter_map(|limit| limit.name.as_ref()) {
        let line = report.line(name.span.start);
        if let Some(first) = seen.insert(&name.value, line) {
            let message = format!("a limit named `{}` is there already, in line {first}", name.value);
            report.error(&name.span, message, "give each limit a name of its own");
        }
    }
}

fn burst_fits(limit: &WrittenLimit, report: &mut Report<'_>) {
    let (Some((measure, rate)), Some(burst)) = (limit.rate, &limit.burst) else { return };
    if burst.value / rate > LONGEST.as_secs() {
        let message = format!("a burst of {} takes {} seconds to fill again", burst.value, burst.value / rate);
        let help = format!("write at most {}, what comes in an hour", rate.saturating_mul(LONGEST.as_secs()));
        report.error(&burst.span, message, help);
    }
    if measure == LimitMeasure::Bytes && burst.value < 65_535 {
        let message =
            format!("a burst of {} bytes is less than a packet may have, which would never pass", burst.value);
        report.error(&burst.span, message, "write at least `burst = 65535`");
    }
}

/// Only what is told apart by its source has one that can be banned.
fn sources_can_be_banned(limit: &WrittenLimit, report: &mut Report<'_>) {
    let (Some(by), Some(At { value: LimitAction::Ban(_), span })) = (&limit.by, &limit.action) else { return };
    if !matches!(by.value, LimitBy::Source { .. }) {
        let message = format!("a limit by `{}` knows no source that it could ban", by.value);
        report.error(span, message, "write `by = \"source\"`, or `action = \"drop\"`");
    }
}

fn rules_name_limits(written: &Written, report: &mut Report<'_>) {
    let limits = &written.limits;
    let known: Vec<&str> = limits.iter().filter_map(|limit| Some(limit.name.as_ref()?.value.as_str())).collect();
    for rule in &written.rules {
        // Where the action is another, the key is wrong already.
        let (Some(RuleAction::Limit(_)), Some(name)) = (&rule.action, &rule.limit) else { continue };
        let named = limits.iter().find(|limit| limit.name.as_ref().is_some_and(|own| own.value == name.value));
        let Some(limit) = named else {
            let help = match nearest(&name.value, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.is_empty() => "there are no limits: write a `[[limit]]`".to_owned(),
                None => format!("there are {}", listed(&known)),
            };
            let message = format!("{} names the limit {}, which there is not", rule.called(), quote(&name.value));
            report.error(&name.span, message, help);
            continue;
        };
        if let Some(service) = limit.services.first() {
            let message = format!("limit `{}` is for services, and {} names it", name.value, rule.called());
            let help = "a limit that a rule names is for what the rule matches: write the services there";
            report.error(&service.span, message, help);
        }
    }
}
