//! What BPF maps take, by the kernel's own account.

use std::{fs, io::ErrorKind};

use anyhow::Result;

/// The bytes of all maps that this process has open.
///
/// # Errors
///
/// The process may not look at itself.
pub(super) fn map_bytes() -> Result<usize> {
    let mut maps = std::collections::BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let text = match fs::read_to_string(entry?.path()) {
            // The descriptor that the directory is read by is gone by now.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            text => text?,
        };
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<usize>().ok());
        if let (Some(id), Some(bytes)) = (field("map_id:"), field("memlock:")) {
            maps.insert(id, bytes);
        }
    }
    Ok(maps.values().sum())
}
