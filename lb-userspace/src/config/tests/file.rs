//! Reading and writing the file.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::valid;
use crate::config::{ReadError, read, write};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_written_is_read() {
    let directory = directory();
    let path = directory.path().join("sluice.toml");
    let (document, model) = valid("# a comment\n[node]\ninterfaces = ['eth0']\n");
    write(&path, &document).unwrap();
    let (again, meant) = read(&path).unwrap();
    assert_eq!((again.text(), meant), (document.text(), model));
    assert_eq!(mode(&path), 0o600, "a new file may hold a secret");
}

#[test]
fn mode_owner_and_links_stay() {
    let directory = directory();
    let (path, link) = (directory.path().join("real.toml"), directory.path().join("link.toml"));
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.toml", &link).unwrap();
    write(&link, &valid("[node]\n").0).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "[node]\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&path), 0o640);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn a_file_that_cannot_be_written_stays() {
    let directory = directory();
    let path = directory.path().join("sluice.toml");
    fs::create_dir(&path).unwrap();
    assert!(write(&path, &valid("").0).is_err());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    assert!(write(&directory.path().join("nowhere/sluice.toml"), &valid("").0).is_err());
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = directory();
    let path = directory.path().join("sluice.toml");
    let shown = |path: &Path| path.display().to_string();
    let error = read(&path).unwrap_err();
    let advice = "copy one of the examples in `config/` there, or name another file";
    assert_eq!(error.to_string(), format!("there is no configuration file {}; {advice}", shown(&path)));

    let error = read(directory.path()).unwrap_err();
    assert!(matches!(error, ReadError::Unreadable { .. }));
    assert!(
        error.to_string().starts_with(&format!("cannot read the configuration file {}: ", shown(directory.path())))
    );

    fs::write(&path, b"[node]\n# caf\xe9\n").unwrap();
    let error = read(&path).unwrap_err();
    let expected = format!("{}:2: the configuration file is not UTF-8 text; save it as UTF-8", shown(&path));
    assert_eq!(error.to_string(), expected);

    fs::write(&path, "x = 1\n").unwrap();
    let error = read(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}:1:1: error: unknown key `x`", shown(&path))), "{error}");
}

#[test]
fn a_byte_order_mark_is_not_text() {
    let directory = directory();
    let path = directory.path().join("sluice.toml");
    fs::write(&path, "\u{feff}x = 1\n").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains(":1:1: error: unknown key `x`"));
}
