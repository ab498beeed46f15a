//! `affinity`: what tells a service's flows apart.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use lb_common::KEEP_SECONDS;
use toml::de::DeValue;

use super::{section::Section, value::Value};
use crate::{
    config::report::Report,
    model::{Affinity, Clients},
};

const KEYS: [&str; 3] = ["by", "prefix", "timeout"];
const WORDS: [(&str, By); 3] = [("flow", By::Flow), ("client", By::Client), ("client-service", By::ClientService)];

/// The flow table forgets what has been idle for longer than two hours. Anything shorter than half a minute would be over
/// while a page is being read.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(KEEP_SECONDS as u64);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// A household or an office has a network of IPv6 addresses, whose lower half hosts change as they like (RFC 8981).
const DEFAULT_PREFIX_V6: u8 = 64;

#[derive(Clone, Copy, PartialEq)]
enum By {
    Flow,
    Client,
    ClientService,
}

/// Reads a word, or a table for more than a word. `family` is the service's address, if it could be read.
pub(super) fn read(value: &Value<'_>, family: Option<IpAddr>, report: &mut Report<'_>) -> Affinity {
    if let DeValue::String(_) = value.inner {
        return value.one_of(&WORDS, report).map_or_else(Affinity::default, |by| meant(by, family, None, None));
    }
    if !value.inner.is_table() {
        let help = "write `\"flow\"`, `\"client\"` or `\"client-service\"`, or a table like `{ by = \"client\", prefix = 24 }`";
        return value.wrong_type("a string or a table", help, report).unwrap_or_default();
    }
    let Some(section) = Section::open(value, "an affinity", &KEYS, report) else { return Affinity::default() };
    let by = section
        .required("by", "write `by = \"client\"` or `by = \"client-service\"`", report)
        .and_then(|value| value.one_of(&WORDS, report));
    if by == Some(By::Flow) {
        reject_client_keys(&section, report);
    }
    let prefix = section.get("prefix").and_then(|value| value.integer(1..=i64::from(longest(family)), report));
    let timeout = section.get("timeout").and_then(|value| value.duration(TIMEOUTS, report));
    by.map_or_else(Affinity::default, |by| meant(by, family, prefix, timeout))
}

fn reject_client_keys(section: &Section<'_>, report: &mut Report<'_>) {
    for key in ["prefix", "timeout"] {
        if let Some(value) = section.get(key) {
            let message = format!("`{key}` has no meaning in an affinity by `flow`");
            report.error(
                &value.span,
                message,
                "write `by = \"client\"` or `by = \"client-service\"`, or remove the key",
            );
        }
    }
}

fn meant(by: By, family: Option<IpAddr>, prefix: Option<u8>, timeout: Option<Duration>) -> Affinity {
    let is_v4 = longest(family) == 32;
    let prefix = prefix.unwrap_or(if is_v4 { 32 } else { DEFAULT_PREFIX_V6 });
    // IPv4 addresses are mapped: their bits are the last of 128.
    let bits = if is_v4 { 96 + prefix } else { prefix };
    let clients = Clients { bits, timeout: timeout.unwrap_or(DEFAULT_TIMEOUT) };
    match by {
        By::Flow => Affinity::Flow,
        By::Client => Affinity::Client(clients),
        By::ClientService => Affinity::ClientService(clients),
    }
}

/// The longest prefix of a client's address, which is of the service's family.
fn longest(family: Option<IpAddr>) -> u8 {
    if family.is_some_and(|address| address.is_ipv4()) { 32 } else { 128 }
}
