//! A real web client.

use super::Namespace;

/// Fetches a URL with curl; returns what it prints. The error is curl's own, with its exit code.
pub fn curl(namespace: &Namespace, url: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let fixed = ["--silent", "--show-error", "--max-time", "10"];
    namespace.run("curl", &[&fixed, arguments, &[url]].concat())
}
