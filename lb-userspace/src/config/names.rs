//! What services, backends and interfaces may be called.

use super::fault::{Fault, quote};

const LONGEST_NAME: usize = 64;
/// `IFNAMSIZ` of the kernel, without the byte that ends the name.
const LONGEST_INTERFACE: usize = 15;

/// A name of a service or a backend: it becomes a word of commands, a part of URLs and a label of metrics.
pub(super) fn name(text: &str) -> Result<String, Fault> {
    let fits = (1..=LONGEST_NAME).contains(&text.len());
    if fits && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c)) && !text.starts_with('-') {
        return Ok(text.to_owned());
    }
    Err(Fault::new(
        format!("{} is not a name", quote(text)),
        format!("use 1 to {LONGEST_NAME} letters, digits and `-`, `_`, `.`, `:`, with no `-` in front"),
    ))
}

/// A name of a list: of a file in the state directory, too.
pub(super) fn list(text: &str) -> Result<String, Fault> {
    if text.starts_with('.') {
        return Err(Fault::new(
            format!("{} begins with a dot", quote(text)),
            "begin the name of a list with something else",
        ));
    }
    name(text)
}

/// Where a list is fetched: on a server, or in a file that others write.
pub(super) fn feed(text: &str) -> Result<String, Fault> {
    match text.strip_prefix("file://") {
        None => url(text),
        Some(path) if path.starts_with('/') => Ok(text.to_owned()),
        Some(_) => Err(Fault::new(
            format!("{} names no file", quote(text)),
            "write the whole path behind `file://`, like `file:///var/lib/list.txt`",
        )),
    }
}

/// The address of a server's file.
pub(super) fn url(text: &str) -> Result<String, Fault> {
    let has_host = |url: ureq::http::Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    };
    match text.parse().is_ok_and(has_host) {
        true => Ok(text.to_owned()),
        false => Err(Fault::new(
            format!("{} is not an address on the web", quote(text)),
            "write it in full, like `https://example.net/list.txt`",
        )),
    }
}

/// A name that the kernel accepts for an interface.
pub(super) fn interface(text: &str) -> Result<String, Fault> {
    let fits = (1..=LONGEST_INTERFACE).contains(&text.len());
    let legal = |c: char| !c.is_whitespace() && !c.is_control() && c != '/' && c != ':';
    if fits && text.chars().all(legal) && text != "." && text != ".." {
        return Ok(text.to_owned());
    }
    Err(Fault::new(
        format!("{} cannot be the name of an interface", quote(text)),
        format!(
            "a name has 1 to {LONGEST_INTERFACE} bytes without spaces, `/` and `:`; `ip link` lists those there are"
        ),
    ))
}

/// The candidate that was probably meant by `written`.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(written, candidate);
    let limit = 1 + written.len().min(LONGEST_NAME) / 4;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(written.len()) <= limit)
        .map(|candidate| (distance(candidate), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Words as a sentence lists them: `` `a`, `b` and `c` ``.
pub(crate) fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word.as_ref())).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
