//! A real browser.

use anyhow::Context;

use super::Namespace;

/// Opens a page in a headless Chromium that knows nothing from before; returns the document once all that it refers to is
/// loaded and its scripts have run, as HTML.
pub fn browse(namespace: &Namespace, url: &str) -> anyhow::Result<String> {
    let profile = tempfile::Builder::new().prefix("sluice-browser-").tempdir().context("cannot make its profile")?;
    let profile = format!("--user-data-dir={}", profile.path().display());
    // Root has no sandbox, and a page that hangs is shown as far as it came, after so many milliseconds.
    let fixed = ["--no-sandbox", "--disable-background-networking", "--timeout=20000", "--dump-dom"];
    namespace.run("chromium-headless-shell", &[&fixed[..], &[&profile, url]].concat())
}
