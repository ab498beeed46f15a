//! `[crowdsec]`: whose decisions are entries of the deny list.

use std::{ops::RangeInclusive, time::Duration};

use super::{list, section::Section, value::Value};
use crate::{
    config::{fault::Fault, names, report::Report},
    model::{CrowdSec, CrowdSecKey},
};

const KEYS: &[&str] = &["url", "api_key", "api_key_file", "interval"];
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Option<CrowdSec> {
    let section = Section::open(&value?, "CrowdSec's section", KEYS, report)?;
    let url = section.required("url", "write `url = \"http://127.0.0.1:8080\"`, where its local API is", report);
    let url = url.and_then(|value| value.parsed(names::url, report));
    let text = section.get("api_key").and_then(|value| value.parsed(key, report)).map(CrowdSecKey::Text);
    let file = section.get("api_key_file").and_then(|value| value.parsed(list::path, report)).map(CrowdSecKey::File);
    let interval = section.get("interval").and_then(|value| value.duration(INTERVALS, report));
    if section.get("api_key").is_some() == section.get("api_key_file").is_some() {
        let help = "make a key with `cscli bouncers add sluice`, and write `api_key`, or `api_key_file` with its file";
        report.error(&section.span, "CrowdSec wants one API key", help);
    }
    Some(CrowdSec { url: url?, key: text.or(file)?, interval: interval.unwrap_or(CrowdSec::DEFAULT_INTERVAL) })
}

/// What can stand in a header.
fn key(text: &str) -> Result<String, Fault> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Fault::new("`api_key` is not a key", "it is what `cscli bouncers add sluice` prints"))
}
