//! Reading the files that lists come in.
//!
//! Each line tells by itself what it is, so that nobody has to name a format: one prefix a line with comments behind `#` or
//! `;` (FireHOL's netsets, Spamhaus DROP as text, and most others), Spamhaus DROP as JSON lines, and what `ipset save`
//! prints. A file with one wrong line is wrong as a whole: half a list is worse than the one that was there before.

mod line;
#[cfg(test)]
mod tests;

use std::fmt;

use ipnet::IpNet;

use super::Prefixes;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The prefixes, each once.
    pub prefixes: Prefixes,
    /// How many stood there more than once.
    pub duplicates: usize,
}

/// Why a file is none of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// It is a web page.
    Html,
    /// Lines are wrong: the first few, with their numbers from 1, and how many there are.
    Lines {
        /// The first few.
        shown: Vec<(usize, String)>,
        /// How many are wrong.
        wrong: usize,
    },
}

/// How many wrong lines are shown.
const SHOWN: usize = 5;

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Html => {
                write!(f, "this is a web page and not a list: fetch the list itself, and not the page that shows it")
            }
            Self::Lines { shown, wrong } => {
                for (line, what) in shown {
                    writeln!(f, "line {line}: {what}")?;
                }
                let more = wrong - shown.len();
                if more > 0 {
                    writeln!(f, "and {more} more wrong lines")?;
                }
                write!(f, "correct them, or remove them")
            }
        }
    }
}

impl std::error::Error for FormatError {}

/// Reads a file.
///
/// # Errors
///
/// See [`FormatError`].
pub fn parse(bytes: &[u8]) -> Result<Parsed, FormatError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(FormatError::Html);
    }
    let mut prefixes = Prefixes::default();
    let (mut shown, mut wrong) = (Vec::new(), 0);
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        if let Some((address, length)) = line::plain_v4(line) {
            prefixes.push_v4(address, length);
            continue;
        }
        match line::read(line) {
            Ok(None) => {}
            Ok(Some(net)) => prefixes.push(net),
            Err(what) => {
                wrong += 1;
                if shown.len() < SHOWN {
                    shown.push((number, what));
                }
            }
        }
    }
    if wrong > 0 {
        return Err(FormatError::Lines { shown, wrong });
    }
    let duplicates = prefixes.finish();
    Ok(Parsed { prefixes, duplicates })
}

/// Writes prefixes as a file that [`parse`] reads.
pub fn write<'a>(nets: impl IntoIterator<Item = (IpNet, Option<&'a str>)>) -> String {
    use fmt::Write;
    let mut text = String::new();
    for (net, remark) in nets {
        // Writing to a string cannot fail.
        let _ = match remark {
            Some(remark) => writeln!(text, "{net} # {}", remark.replace(['\n', '\r'], " ")),
            None => writeln!(text, "{net}"),
        };
    }
    text
}
