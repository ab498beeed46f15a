//! The flow hash's secret, when the configuration names none: made once and kept, because flows would move to other
//! backends if it changed.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const FILE: &str = "secret";

/// The secret in the state directory; makes it if there is none.
pub(super) fn keep(state: &Path) -> io::Result<[u64; 2]> {
    let path = state.join(FILE);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?.to_vec(),
        other => other?,
    };
    let (first, second) = bytes.split_first_chunk::<8>().zip(bytes.last_chunk::<8>()).map_or_else(
        || Err(io::Error::other(format!("{} is cut short: remove it to have a new one made", path.display()))),
        |((first, _), second)| Ok((*first, *second)),
    )?;
    Ok([u64::from_le_bytes(first), u64::from_le_bytes(second)])
}

/// Sixteen bytes that nobody can guess.
fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A key that nobody can guess.
pub(super) fn random_key() -> io::Result<[u64; 2]> {
    let bytes = u128::from_ne_bytes(random()?);
    Ok([bytes as u64, (bytes >> 64) as u64])
}

fn make(path: &Path) -> io::Result<[u8; 16]> {
    let bytes = random()?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let secret = keep(directory.path()).unwrap();
        assert_eq!(keep(directory.path()).unwrap(), secret);
        fs::write(directory.path().join(FILE), [1, 2, 3]).unwrap();
        assert!(keep(directory.path()).unwrap_err().to_string().contains("cut short"));
    }
}
