//! `health`: how a service's backends are checked.

use std::time::Duration;

use humantime::format_duration;
use toml::de::DeValue;

use super::{section::Section, value::Value};
use crate::{
    config::{
        fault::{Fault, quote},
        report::Report,
    },
    model::{HealthCheck, Probe},
};

const KEYS: [&str; 10] = ["type", "path", "host", "status", "port", "interval", "jitter", "timeout", "rise", "fall"];
const HTTP_ONLY: [&str; 3] = ["path", "host", "status"];

const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
const MOST_IN_A_ROW: i64 = 100;

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Tcp,
    Http,
}

/// Reads the settings; a key that is not there has its default.
pub(super) fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<HealthCheck> {
    let section = Section::open(value, "a health check", &KEYS, report)?;
    let kind = section
        .required("type", "write `type = \"tcp\"` or `type = \"http\"`", report)
        .and_then(|value| value.one_of(&[("tcp", Type::Tcp), ("http", Type::Http)], report));
    if kind == Some(Type::Tcp) {
        reject_http_keys(&section, report);
    }
    let http = http(&section, report);
    let interval = section
        .get("interval")
        .and_then(|value| value.duration(SHORTEST_INTERVAL..=LONGEST_INTERVAL, report))
        .unwrap_or(DEFAULT_INTERVAL);
    let mut count =
        |key, default| section.get(key).and_then(|value| value.integer(1..=MOST_IN_A_ROW, report)).unwrap_or(default);
    let (rise, fall) = (count("rise", 2), count("fall", 3));
    Some(HealthCheck {
        probe: if kind? == Type::Tcp { Probe::Tcp } else { http },
        port: section.get("port").and_then(|value| value.integer(1..=65535, report)),
        interval,
        jitter_percent: section
            .get("jitter")
            .and_then(|value| value.fraction(0.0..=0.5, report))
            .map_or(10, |fraction| (fraction * 100.0).round() as u32),
        timeout: timeout(&section, interval, report),
        rise,
        fall,
    })
}

/// The timeout. It ends before the next check begins, so that a backend has one check under way at most.
fn timeout(section: &Section<'_>, interval: Duration, report: &mut Report<'_>) -> Duration {
    let Some(value) = section.get("timeout") else { return DEFAULT_TIMEOUT.min(interval) };
    let Some(timeout) = value.duration(SHORTEST_TIMEOUT..=LONGEST_INTERVAL, report) else { return DEFAULT_TIMEOUT };
    if timeout > interval {
        let (timeout, interval) = (format_duration(timeout), format_duration(interval));
        let message = format!("`timeout` is {timeout}, longer than `interval`, which is {interval}");
        report.error(&value.span, message, format!("write at most {interval}, or check less often"));
    }
    timeout
}

fn reject_http_keys(section: &Section<'_>, report: &mut Report<'_>) {
    for key in HTTP_ONLY {
        if let Some(value) = section.get(key) {
            let message = format!("`{key}` has no meaning in a health check of type `tcp`");
            report.error(&value.span, message, "write `type = \"http\"`, or remove the key");
        }
    }
}

fn http(section: &Section<'_>, report: &mut Report<'_>) -> Probe {
    Probe::Http {
        path: section.get("path").and_then(|value| value.parsed(path, report)).unwrap_or_else(|| "/".into()),
        host: section.get("host").and_then(|value| value.parsed(host, report)),
        status: section.get("status").map_or_else(|| vec![(200, 299)], |value| statuses(&value, report)),
    }
}

fn path(text: &str) -> Result<String, Fault> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(text.to_owned());
    }
    let help = "begin it with `/` and write other characters than ASCII's as `%XX`: it is sent as it stands";
    Err(Fault::new(format!("{} is not the path of a URL", quote(text)), help))
}

fn host(text: &str) -> Result<String, Fault> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if !text.is_empty() && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    let help = "write a name like `www.example.org`, with a port if the server wants one";
    Err(Fault::new(format!("{} cannot be sent as the Host header", quote(text)), help))
}

fn statuses(value: &Value<'_>, report: &mut Report<'_>) -> Vec<(u16, u16)> {
    let elements = value.elements(report);
    if elements.is_empty() && value.inner.is_array() {
        report.error(&value.span, "with an empty `status` no check can pass", "name one, as in `[\"200-299\"]`");
    }
    elements
        .iter()
        .filter_map(|element| match element.inner {
            DeValue::Integer(_) => element.integer(100..=599, report).map(|status| (status, status)),
            _ => element.parsed(status, report),
        })
        .collect()
}

fn status(text: &str) -> Result<(u16, u16), Fault> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|number| (100..=599).contains(number));
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => Err(Fault::new(
            format!("{} is not a range of HTTP statuses", quote(text)),
            "write `\"200\"` or `\"200-299\"`, within 100 to 599",
        )),
    }
}
