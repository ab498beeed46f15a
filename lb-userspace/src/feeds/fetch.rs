//! Fetching a list.

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
    let bytes = body(answer, MOST_BYTES)?;
    let parsed = formats::parse(&bytes).map_err(|error| FetchError::Format(error.to_string()))?;
    Ok(News::Fresh(Content { bytes, parsed, version }))
}
