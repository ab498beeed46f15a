//! A decision of CrowdSec's.

use ipnet::IpNet;
use serde::Deserialize;

use crate::config::prefix;

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whom it is about.
    pub net: IpNet,
    /// How long it lasts.
    pub seconds: u64,
    /// Why.
    pub reason: String,
}

/// A decision as the local API writes it.
#[derive(Deserialize)]
pub(super) struct Raw {
    #[serde(default)]
    duration: String,
    #[serde(default)]
    origin: String,
    #[serde(default)]
    scenario: String,
    scope: String,
    r#type: String,
    value: String,
}

/// The longest reason that is kept, in letters.
const LONGEST_REASON: usize = 200;

impl Raw {
    /// The ban, if it is one of an address or a prefix.
    pub(super) fn ban(&self) -> Option<Decision> {
        let is_about_addresses = ["ip", "range"].iter().any(|scope| self.scope.eq_ignore_ascii_case(scope));
        if !is_about_addresses || self.r#type != "ban" {
            return None;
        }
        let reason = format!("{} ({})", self.scenario, self.origin);
        let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect();
        Some(Decision { net: self.net()?, seconds: seconds(&self.duration)?, reason })
    }

    /// CrowdSec leaves bits behind a prefix's length.
    fn net(&self) -> Option<IpNet> {
        match self.value.parse::<IpNet>() {
            Ok(net) => prefix::prefix(&net.trunc().to_string()).ok(),
            Err(_) => prefix::prefix(&self.value).ok(),
        }
    }
}

const UNITS: [(&str, f64); 7] =
    [("h", 3600.0), ("ms", 1e-3), ("m", 60.0), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9), ("s", 1.0)];

/// The seconds of a duration as Go writes it, rounded up; nothing is left of one that is over.
fn seconds(text: &str) -> Option<u64> {
    let Some(mut rest) = text.strip_prefix('-').map_or(Some(text), |_| None) else { return Some(0) };
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        sum += number * factor;
        rest = &rest[end + unit.len()..];
    }
    Some(f64::ceil(sum) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        let all = ["3h59m50.5s", "1m28.821049933s", "250ms", "12µs", "4h", "0s", "-77.8ms", ""];
        assert_eq!(all.map(seconds), [14391, 89, 1, 1, 14400, 0, 0, 0].map(Some));
        assert_eq!(["4", "h", "1x", "1.2.3s"].map(seconds), [None; 4]);
    }
}
