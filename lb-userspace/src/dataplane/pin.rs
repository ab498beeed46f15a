//! Where things are pinned.
//!
//! `PINS/v1/MAP` for each map and `PINS/v1/link_INDEX` for each interface: the layout's version is part of the path, so
//! that a daemon never takes over maps of another shape.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::DataplaneError;

/// The directory of this layout's pins.
pub(super) fn directory(pins: &Path) -> PathBuf {
    pins.join(format!("v{}", lb_common::LAYOUT_VERSION))
}

/// The pin of the link to an interface. A BPF file system refuses dots in names, which interfaces' names may have, so
/// it is named by index.
pub(super) fn link(pins: &Path, ifindex: u32) -> PathBuf {
    directory(pins).join(format!("link_{ifindex}"))
}

/// The links that are pinned, with the index of the interface each belongs to.
pub(super) fn links(pins: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let entries = match fs::read_dir(directory(pins)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut links = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let index = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("link_"));
        if let Some(index) = index.and_then(|index| index.parse().ok()) {
            links.push((index, path));
        }
    }
    links.sort_unstable();
    Ok(links)
}

/// Makes the directory for the pins.
///
/// # Errors
///
/// It cannot be made.
pub fn make_pins(pins: &Path) -> Result<(), DataplaneError> {
    fs::create_dir_all(directory(pins)).map_err(|source| error("make the directory for the pins", pins, source))
}

/// Removes all pins, unless a program is attached by one of them.
///
/// # Errors
///
/// A pin that could not be removed.
pub fn remove_unused_pins(pins: &Path) -> io::Result<()> {
    if links(pins)?.is_empty() { remove_all(pins) } else { Ok(()) }
}

/// Removes all pins of this layout, and the directories if they are empty then.
pub(super) fn remove_all(pins: &Path) -> io::Result<()> {
    let directory = directory(pins);
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(&directory)?;
    // Another layout's pins may be beside ours.
    let _ = fs::remove_dir(pins);
    Ok(())
}

/// An error about a pin.
pub(super) fn error(action: &'static str, path: &Path, source: io::Error) -> DataplaneError {
    DataplaneError::Pin { action, path: path.to_owned(), source }
}
