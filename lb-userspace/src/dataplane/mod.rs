//! The dataplane.

use std::path::Path;

/// Removes the pinned links and names the interfaces that the program was detached from.
pub fn detach_all(_pins: &Path) -> std::io::Result<Vec<String>> {
    Err(std::io::Error::other("this build has no dataplane"))
}
