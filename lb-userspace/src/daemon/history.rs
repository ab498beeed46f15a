//! The rings' past, in the state directory: pins do not outlive a reboot, and connections may.

use std::{fs, io, path::Path};

use super::keep;
use crate::plan::History;

const FILE: &str = "history.json";

/// Reads the history. One that cannot be used is as good as none: rows then start settled.
pub(super) fn read(state: &Path) -> History {
    let path = state.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return History::default(),
        Err(error) => {
            tracing::warn!(%error, "could not read {}; rows that are not in the tables start settled", path.display());
            return History::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(
            %error,
            "{} is damaged and will be written anew; rows that are not in the tables start settled",
            path.display()
        );
        History::default()
    })
}

/// Writes the history, whole or not at all.
pub(super) fn write(state: &Path, history: &History) -> io::Result<()> {
    keep::write(state, FILE, &serde_json::to_vec(history)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_survives_being_written() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()), History::default());
        let text = r#"{"web":[{"since_s":1000,"ring":{"bits":10,"algorithm":"quota","tolerance_permille":5,"seed":null},
            "parties":[{"name":"a","weight":100,"serves":true}]}]}"#;
        let history: History = serde_json::from_str(text).unwrap();
        write(directory.path(), &history).unwrap();
        assert_eq!(read(directory.path()), history);
        assert_ne!(history, History::default());
    }

    #[test]
    fn a_damaged_history_is_none() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", r#"{"web":[{"since_s":-1}]}"#, "\0\0\0\0"] {
            fs::write(directory.path().join(FILE), text).unwrap();
            assert_eq!(read(directory.path()), History::default(), "{text}");
        }
    }
}
