//! One line of a file.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use crate::config::prefix;

/// The prefix in a line that has only an IPv4 address or prefix without bits behind its length: nearly all lines of
/// large files are such, and this takes a tenth of the time.
pub(super) fn plain_v4(line: &[u8]) -> Option<(u32, u32)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (mut address, mut part, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    let mut bytes = line.iter();
    let mut length = 32;
    for &byte in bytes.by_ref() {
        match byte {
            b'0'..=b'9' if digits < 3 && !(digits == 1 && part == 0) => {
                (part, digits) = (part * 10 + u32::from(byte - b'0'), digits + 1);
            }
            b'.' if digits > 0 && part < 256 && dots < 3 => {
                address = address << 8 | part;
                (part, digits, dots) = (0, 0, dots + 1);
            }
            b'/' => {
                length = match bytes.as_slice() {
                    [one @ b'0'..=b'9'] => u32::from(one - b'0'),
                    [ten @ b'1'..=b'3', one @ b'0'..=b'9'] => u32::from(ten - b'0') * 10 + u32::from(one - b'0'),
                    _ => return None,
                };
                break;
            }
            _ => return None,
        }
    }
    let is_whole = digits > 0 && part < 256 && dots == 3 && length <= 32;
    let address = address << 8 | part;
    let behind = (0xffff_ffff_u64 >> length) as u32;
    (is_whole && address & behind == 0).then_some((address, length))
}

/// The prefix in a line, if there is one; or what is wrong.
pub(super) fn read(line: &[u8]) -> Result<Option<IpNet>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "this is not text".to_owned())?.trim();
    if text.starts_with('{') {
        return json(text);
    }
    let text = text.split(['#', ';']).next().unwrap_or_default().trim();
    let mut words = text.split_whitespace();
    match words.next() {
        None => Ok(None),
        Some("create" | "flush" | "destroy" | "COMMIT") => Ok(None),
        Some("add" | "-A") => added(words),
        Some(word) => match words.next() {
            None => net(word).map(Some),
            Some(more) => {
                Err(format!("`{more}` stands behind {word}, and a line has one prefix: write `#` in front of remarks"))
            }
        },
    }
}

/// A line of `ipset save`: the set's name, the entry, and options.
fn added<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Option<IpNet>, String> {
    let entry = words.nth(1).ok_or("an entry of an ipset is missing behind `add`")?;
    if words.any(|word| word == "nomatch") {
        return Err(format!("{entry} is an exception (`nomatch`): put it into an allow list instead"));
    }
    net(entry).map(Some)
}

/// A line of Spamhaus DROP as JSON; the last one only describes the file.
#[derive(Deserialize)]
struct Drop {
    cidr: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

fn json(text: &str) -> Result<Option<IpNet>, String> {
    let line: Drop = serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
    match (line.cidr, line.kind.as_deref()) {
        (Some(cidr), _) => net(&cidr).map(Some),
        (None, Some("metadata")) => Ok(None),
        (None, _) => Err("this has no `cidr`".to_owned()),
    }
}

fn net(word: &str) -> Result<IpNet, String> {
    if let Some((first, last)) = word.split_once('-')
        && first.parse::<IpAddr>().is_ok()
        && last.parse::<IpAddr>().is_ok()
    {
        return Err(format!("`{word}` is a range: write it as prefixes"));
    }
    prefix::prefix(word).map_err(|fault| fault.to_string())
}
