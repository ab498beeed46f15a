//! Files of the state directory.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes a file of a folder there, whole or not at all.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".kept-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    fs::File::open(folder)?.sync_all()
}

/// Removes a file, if it is there.
pub(super) fn remove(state: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(state.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
