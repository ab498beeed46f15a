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

/// The directories of all layouts: a Sluice of another version may have left pins, too.
fn layouts(pins: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(pins) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    let is_layout = |path: &PathBuf| {
        let version = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix('v'));
        version.is_some_and(|version| version.parse::<u32>().is_ok())
    };
    Ok(paths.into_iter().filter(is_layout).collect())
}

/// The pin of a link to an interface that a Sluice of another layout has left.
pub(super) fn foreign_link(pins: &Path, ifindex: u32) -> Option<PathBuf> {
    let ours = directory(pins);
    let foreign = layouts(pins).ok()?.into_iter().filter(|layout| *layout != ours);
    foreign.map(|layout| layout.join(format!("link_{ifindex}"))).find(|link| link.exists())
}

/// The links that are pinned by any layout, with the index of the interface each belongs to.
pub(super) fn all_links(pins: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let links: Vec<_> = layouts(pins)?.iter().map(|layout| links_in(layout)).collect::<io::Result<_>>()?;
    Ok(links.into_iter().flatten().collect())
}

/// The links that are pinned, with the index of the interface each belongs to.
pub(super) fn links(pins: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    links_in(&directory(pins))
}

fn links_in(directory: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let entries = match fs::read_dir(directory) {
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

/// Removes all pins, of every layout, and their directories.
pub(super) fn remove_all(pins: &Path) -> io::Result<()> {
    remove(layouts(pins)?)?;
    // The operator may keep something of his own there.
    let _ = fs::remove_dir(pins);
    Ok(())
}

/// Removes the pins of other layouts, whose links have been taken over.
pub(super) fn remove_foreign(pins: &Path) -> io::Result<()> {
    let ours = directory(pins);
    remove(layouts(pins)?.into_iter().filter(|layout| *layout != ours))
}

fn remove(layouts: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
    for layout in layouts {
        for entry in fs::read_dir(&layout)? {
            fs::remove_file(entry?.path())?;
        }
        fs::remove_dir(&layout)?;
    }
    Ok(())
}

/// An error about a pin.
pub(super) fn error(action: &'static str, path: &Path, source: io::Error) -> DataplaneError {
    DataplaneError::Pin { action, path: path.to_owned(), source }
}
