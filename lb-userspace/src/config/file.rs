//! The file of the configuration.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use super::{diagnostic::Diagnostics, document::Document};
use crate::model::Model;

/// Why a configuration file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("there is no configuration file {path}; copy one of the examples in `config/` there, or name another file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be read.
    #[error("no permission to read the configuration file {path}; run as root, or make it readable")]
    Forbidden {
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{path}:{line}: the configuration file is not UTF-8 text; save it as UTF-8")]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line, from 1, of the first byte that is not.
        line: usize,
    },
    /// Reading failed for another reason.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration has errors.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

/// Reads a configuration file.
///
/// # Errors
///
/// See [`ReadError`].
pub fn read(path: &Path) -> Result<(Document, Model), ReadError> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        ReadError::NotText { path: path.to_owned(), line }
    })?;
    Ok(Document::parse(&path.display().to_string(), &text)?)
}

fn unreadable(path: &Path, source: io::Error) -> ReadError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => ReadError::Missing { path },
        ErrorKind::PermissionDenied => ReadError::Forbidden { path },
        _ => ReadError::Unreadable { path, source },
    }
}

/// Writes a document to its file, whole or not at all: into a new file beside it, which then takes its place. Mode and
/// owner stay as they were, and a symbolic link stays a link. A file that was not there is readable for its owner only,
/// because a configuration can hold a secret.
///
/// # Errors
///
/// What the system says; the file is then as it was.
pub fn write(path: &Path, document: &Document) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".sluice-").tempfile_in(directory)?;
    file.write_all(document.text().as_bytes())?;
    keep_owner_and_mode(&target, file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    File::open(directory)?.sync_all()
}

fn keep_owner_and_mode(target: &Path, file: &File) -> io::Result<()> {
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // The owner first: changing it clears the set-id bits of the mode.
    fchown(file, Some(metadata.uid()), Some(metadata.gid()))?;
    file.set_permissions(Permissions::from_mode(metadata.mode() & 0o7777))
}
