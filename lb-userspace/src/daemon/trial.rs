//! A configuration on trial: it lasts only if it is confirmed, which somebody who has cut himself off with it cannot do.
//!
//! What was before stands in the state directory until then. So it comes back in time even if the daemon dies meanwhile: the
//! next one finds it there before it reads its configuration.

use std::{fs, io, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{DaemonError, differences::differences, keep, state::State};
use crate::{
    api::types::{ApiError, Changed},
    config::{self, Document},
    model::Moment,
};

const FILE: &str = "rollback.json";

/// The longest trial, in seconds: a day.
const LONGEST_S: u64 = 24 * 3600;

/// When a rollback that failed is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// A trial that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    /// When what was before comes back.
    until: Moment,
    /// What the configuration file held before.
    before: String,
}

impl Trial {
    /// Begins one, for so many seconds, and keeps it.
    pub(super) fn begin(state: &Path, before: &Document, seconds: u64) -> Result<Self, ApiError> {
        if !(1..=LONGEST_S).contains(&seconds) {
            return Err(ApiError::usage("a trial lasts from a second to a day; nothing was changed"));
        }
        let until = Moment::now().after(Duration::from_secs(seconds));
        let trial = Self { until, before: before.text().to_owned() };
        trial.keep(state).map_err(|error| {
            let place = state.display();
            ApiError::failure(format!("what is running could not be kept in {place}: {error}; nothing was changed"))
        })?;
        Ok(trial)
    }

    fn keep(&self, state: &Path) -> io::Result<()> {
        keep::write(state, FILE, &serde_json::to_vec(self)?)
    }

    /// Ends one.
    pub(super) fn forget(state: &Path) {
        if let Err(error) = keep::remove(state, FILE) {
            tracing::error!(%error, "could not remove {}, which rolls back at the next start", state.join(FILE).display());
        }
    }

    /// What there is to say of it.
    pub(super) fn warning(&self) -> String {
        let left = self.until.since(Moment::now());
        format!(
            "the configuration is on trial: `sluice confirm` within {left} s keeps it, and without it what was before comes back"
        )
    }
}

/// The trial that a former daemon left. If its time is over, what was before is written to the configuration file.
///
/// # Errors
///
/// What was kept cannot be read or written: better no start than one with a configuration that nobody confirmed.
pub(super) fn recover(state: &Path, config: &Path) -> Result<Option<Trial>, DaemonError> {
    let path = state.join(FILE);
    let refused = |source| DaemonError::State { path: path.clone(), source };
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    let trial: Trial = serde_json::from_slice(&bytes).map_err(|error| refused(error.into()))?;
    if trial.until > Moment::now() {
        return Ok(Some(trial));
    }
    let (before, _) = Document::parse(&path.display().to_string(), &trial.before).map_err(config::ReadError::from)?;
    config::write(config, &before).map_err(|source| DaemonError::Write { path: config.to_owned(), source })?;
    Trial::forget(state);
    tracing::warn!("the configuration was not confirmed in time: what was before is back");
    Ok(None)
}

impl State {
    /// Refuses a change while a configuration is on trial: the rollback would undo it too.
    pub(super) fn refuse_on_trial(&self) -> Result<(), ApiError> {
        match &self.trial {
            None => Ok(()),
            Some(trial) => {
                Err(ApiError::usage(format_args!("{}; until then nothing else is changed", trial.warning())))
            }
        }
    }

    /// Ends the trial: keeps the configuration, or brings back what was before.
    pub(super) async fn confirm(&mut self, undo: bool) -> Result<Changed, ApiError> {
        if self.trial.is_none() {
            return Err(ApiError::usage("no configuration is on trial: there is nothing to confirm"));
        }
        if undo {
            return self.roll_back().await;
        }
        self.trial = None;
        Trial::forget(&self.state_directory);
        let changes = vec!["the configuration is confirmed".to_owned()];
        Ok(Changed { changes, microseconds: 0, warnings: self.warnings() })
    }

    /// Brings back what was before, if the time is over and nobody has confirmed.
    pub(super) async fn end_trial(&mut self) {
        if self.trial.as_ref().is_none_or(|trial| trial.until > Moment::now()) {
            return;
        }
        match self.roll_back().await {
            Ok(changed) => {
                let changes = changed.changes.join("; ");
                tracing::warn!(changes, "the configuration was not confirmed in time: what was before is back");
            }
            Err(error) => {
                tracing::error!("could not bring back what was before: {}", error.error);
                if let Some(trial) = &mut self.trial {
                    trial.until = Moment::now().after(AGAIN);
                }
            }
        }
    }

    async fn roll_back(&mut self) -> Result<Changed, ApiError> {
        let Some(trial) = self.trial.take() else { return Err(ApiError::failure("there is no trial")) };
        match self.take_before(&trial).await {
            Ok(changed) => {
                Trial::forget(&self.state_directory);
                Ok(changed)
            }
            Err(error) => {
                self.trial = Some(trial);
                Err(error)
            }
        }
    }

    async fn take_before(&mut self, trial: &Trial) -> Result<Changed, ApiError> {
        let origin = self.state_directory.join(FILE).display().to_string();
        let (document, model) = Document::parse(&origin, &trial.before).map_err(ApiError::usage)?;
        let sentences = differences(&self.model, &model);
        self.take(document, model, sentences).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# mine\n[node]\ninterfaces = [\"eth0\"]\n";

    fn document() -> Document {
        Document::parse("before", BEFORE).unwrap().0
    }

    #[test]
    fn a_trial_that_goes_on_is_found_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("sluice.toml");
        let trial = Trial::begin(folder.path(), &document(), 60).unwrap();
        assert_eq!(recover(folder.path(), &config).unwrap(), Some(trial));
        assert!(!config.exists());
        Trial::forget(folder.path());
        assert_eq!(recover(folder.path(), &config).unwrap(), None);
    }

    #[test]
    fn what_was_before_comes_back_to_the_file_when_the_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("sluice.toml");
        fs::write(&config, "of somebody who cut himself off").unwrap();
        let over = Trial { until: Moment::now(), before: BEFORE.to_owned() };
        over.keep(folder.path()).unwrap();
        assert_eq!(recover(folder.path(), &config).unwrap(), None);
        assert_eq!(fs::read_to_string(&config).unwrap(), BEFORE);
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn what_is_damaged_is_no_reason_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = recover(folder.path(), &folder.path().join("sluice.toml")).unwrap_err();
        assert!(format!("{:#}", anyhow::Error::from(error)).contains(FILE));
    }

    #[test]
    fn a_trial_has_a_length_that_makes_sense() {
        let folder = tempfile::tempdir().unwrap();
        for seconds in [0, LONGEST_S + 1] {
            Trial::begin(folder.path(), &document(), seconds).unwrap_err();
        }
        assert!(!folder.path().join(FILE).exists());
    }
}
