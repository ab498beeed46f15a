//! Fetching a list.

use std::{fs, io::Read, os::unix::fs::MetadataExt};

use super::{
    Content, FetchError, News, Version,
    client::{Client, body},
};
use crate::lists::formats;

/// A list of ten million prefixes of IPv4 has about 150 MB.
const MOST_BYTES: u64 = 256_000_000;

/// Asks for a list, unless it is the version that is known already.
///
/// # Errors
///
/// See [`FetchError`].
pub(super) fn fetch(url: &str, known: &Version) -> Result<News, FetchError> {
    url.strip_prefix("file://").map_or_else(|| ask(url, known), |path| read(path, known))
}

/// Asks a server.
fn ask(url: &str, known: &Version) -> Result<News, FetchError> {
    let mut headers = Vec::new();
    headers.extend(known.etag.as_deref().map(|etag| ("if-none-match", etag)));
    headers.extend(known.modified.as_deref().map(|modified| ("if-modified-since", modified)));
    let answer = Client::new().get(url, &headers)?;
    match answer.status().as_u16() {
        200 => {}
        304 => return Ok(News::Unchanged),
        status => return Err(FetchError::Status(status)),
    }
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let version = Version { etag: header("etag"), modified: header("last-modified") };
    fresh(body(answer, MOST_BYTES)?, version)
}

/// Reads a file, as it is when its version is asked for.
fn read(path: &str, known: &Version) -> Result<News, FetchError> {
    let failed = |error| FetchError::Failed(format!("it could not be read ({error})"));
    let file = fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let (length, seconds, nanoseconds) = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    let version = Version { etag: None, modified: Some(format!("{seconds}.{nanoseconds:09}, {length} bytes")) };
    if version == *known {
        return Ok(News::Unchanged);
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(FetchError::TooLarge(MOST_BYTES));
    }
    fresh(bytes, version)
}

fn fresh(bytes: Vec<u8>, version: Version) -> Result<News, FetchError> {
    let parsed = formats::parse(&bytes).map_err(|error| FetchError::Format(error.to_string()))?;
    Ok(News::Fresh(Content { bytes, parsed, version }))
}
