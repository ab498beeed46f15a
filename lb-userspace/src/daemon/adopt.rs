//! Taking a new configuration: all of it, or nothing.

use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    DaemonError, clock, interfaces,
    listed::{Listed, Source},
    local_ports,
    state::State,
    trial::Trial,
};
use crate::{
    api::types::{ApiError, ApplyRequest, ChangeRequest, Changed, Edit},
    config::{self, Document, Edited},
    health::Target,
    model::{AdminState, Model, Moment},
    plan::Health,
};

/// What a model has replaced.
pub(super) struct Before {
    model: Model,
    interfaces: BTreeMap<String, u32>,
    listed: Listed,
}

/// A configuration to be adopted.
struct Next {
    document: Document,
    model: Model,
    /// What the file is to hold; `None` leaves it alone.
    saved: Option<Document>,
}

impl State {
    /// Makes one edit of the configuration.
    pub(super) async fn change(&mut self, request: ChangeRequest) -> Result<Changed, ApiError> {
        let started = Instant::now();
        if let Some(changed) = self.change_expiring(&request.edit)? {
            return Ok(changed);
        }
        self.refuse_on_trial()?;
        let edited = self.document.edit(&request.edit).map_err(ApiError::usage)?;
        let saved = if request.ephemeral { None } else { Some(self.edit_saved(&request.edit, &edited)?) };
        let done = edited.done.or_else(|| saved.as_ref()?.done.clone());
        let Some(done) = done else { return Ok(nothing()) };
        let saved = saved.map(|saved| saved.document);
        let next = Next { document: edited.document, model: edited.model, saved };
        let effective = self.adopt(next).await.map_err(to_api)?;
        Ok(self.changed(vec![done], effective - started))
    }

    /// The same edit of what the file holds, which ephemeral changes are not part of.
    fn edit_saved(&self, edit: &Edit, running: &Edited) -> Result<Edited, ApiError> {
        let path = self.config.display();
        if self.config.exists() && !self.file_holds(&self.saved) {
            return Err(ApiError::usage(format_args!(
                "{path} was changed since the daemon read it, and would be overwritten: `sluice apply` takes it over, \
                 --ephemeral leaves it alone; nothing was changed"
            )));
        }
        if self.saved.text() == self.document.text() {
            return Ok(running.clone());
        }
        self.saved.edit(edit).map_err(|error| {
            ApiError::usage(format_args!(
                "this cannot be written to {path}, which lacks the ephemeral changes: {error}; try --ephemeral"
            ))
        })
    }

    fn file_holds(&self, document: &Document) -> bool {
        // A document has no byte order mark, whatever its file has.
        fs::read_to_string(&self.config).is_ok_and(|text| text.trim_start_matches('\u{feff}') == document.text())
    }

    /// Takes a whole configuration, or its own file again.
    pub(super) async fn apply(&mut self, request: Option<ApplyRequest>) -> Result<Changed, ApiError> {
        self.refuse_on_trial()?;
        let (document, model) = self.read(request.as_ref())?;
        if request.is_none() {
            self.saved = document.clone();
        }
        let is_new = model != self.model;
        let sentences = if is_new { super::differences::differences(&self.model, &model) } else { Vec::new() };
        let Some(request) = request else {
            let next = Next { document, model, saved: None };
            return self.adopt_noted(next, sentences).await;
        };
        let trial = request.confirm_seconds.filter(|_| is_new);
        self.trial = trial.map(|seconds| Trial::begin(&self.state_directory, &self.saved, seconds)).transpose()?;
        let taken = self.take(document, model, sentences).await;
        if taken.is_err() && self.trial.take().is_some() {
            Trial::forget(&self.state_directory);
        }
        taken
    }

    /// A whole configuration: the one that was sent, or that of its own file.
    pub(super) fn read(&self, request: Option<&ApplyRequest>) -> Result<(Document, Model), ApiError> {
        match request {
            Some(request) => Document::parse(&request.origin, &request.text).map_err(ApiError::usage),
            None => config::read(&self.config).map_err(ApiError::usage),
        }
    }

    /// Makes a configuration the running one and the file's.
    pub(super) async fn take(
        &mut self,
        document: Document,
        model: Model,
        sentences: Vec<String>,
    ) -> Result<Changed, ApiError> {
        let saved = Some(document.clone());
        self.adopt_noted(Next { document, model, saved }, sentences).await
    }

    /// Makes a configuration the running one; the answer has these sentences.
    async fn adopt_noted(&mut self, next: Next, sentences: Vec<String>) -> Result<Changed, ApiError> {
        let (started, is_new) = (Instant::now(), next.model != self.model);
        let effective = self.adopt(next).await.map_err(to_api)?;
        Ok(if is_new { self.changed(sentences, effective - started) } else { nothing() })
    }

    /// Makes a configuration the running one; returns when the kernel held it. After an error everything is as it was.
    async fn adopt(&mut self, Next { document, model, saved }: Next) -> Result<Instant, DaemonError> {
        let files = self.list_files(&model).await?;
        let wanted = self.wanted_interfaces(&model).await?;
        let new = interfaces::attach(&mut self.kernel, &wanted, false).await?;
        self.ephemeral = local_ports::now();
        let before = self.replace(model, wanted, files);
        let effective = match self.adopt_model(saved).await {
            Ok(effective) => effective,
            Err(error) => {
                self.restore(before);
                interfaces::detach(&mut self.kernel, &new).await;
                self.take_back().await;
                return Err(error);
            }
        };
        self.document = document;
        self.drains.retain(&self.model);
        interfaces::detach_others(&mut self.kernel, &self.interfaces).await?;
        self.set_targets();
        self.follow_feeds();
        Ok(effective)
    }

    /// Puts a model in the place of the running one, with its interfaces and the files of its lists; the kernel knows nothing of
    /// it yet.
    pub(super) fn replace(
        &mut self,
        model: Model,
        interfaces: BTreeMap<String, u32>,
        files: BTreeMap<String, Source>,
    ) -> Before {
        let listed = self.listed.clone();
        self.listed.set_files(files);
        self.listed.keep_feeds(&model.firewall);
        Before {
            model: std::mem::replace(&mut self.model, model),
            interfaces: std::mem::replace(&mut self.interfaces, interfaces),
            listed,
        }
    }

    /// Takes that back.
    pub(super) fn restore(&mut self, Before { model, interfaces, listed }: Before) {
        (self.model, self.interfaces, self.listed) = (model, interfaces, listed);
    }

    /// The interfaces of a model; asks the kernel only if they have changed.
    pub(super) async fn wanted_interfaces(&self, model: &Model) -> Result<BTreeMap<String, u32>, DaemonError> {
        if model.node.interfaces == self.model.node.interfaces {
            return Ok(self.interfaces.clone());
        }
        interfaces::wanted(model).await
    }

    /// Brings the kernel to the new model, and then writes the file: a change that the kernel refuses is not written.
    /// Returns when the kernel held it.
    async fn adopt_model(&mut self, saved: Option<Document>) -> Result<Instant, DaemonError> {
        self.follow_ways().await?;
        self.liveness.follow(&self.model, |_, _| false);
        self.compose_lists()?;
        self.synchronise()?;
        let effective = Instant::now();
        if let Some(saved) = saved {
            if !self.file_holds(&saved) {
                config::write(&self.config, &saved)
                    .map_err(|source| DaemonError::Write { path: self.config.clone(), source })?;
            }
            self.saved = saved;
        }
        Ok(effective)
    }

    /// Brings the kernel back to the model from before a change that failed.
    async fn take_back(&mut self) {
        if let Err(error) = self.follow_ways().await {
            tracing::error!(%error, "could not read the next hops again");
        }
        self.liveness.follow(&self.model, |_, _| false);
        if let Err(error) = self.compose_lists() {
            tracing::error!(%error, "could not bring the lists back");
        }
        if let Err(error) = self.synchronise() {
            tracing::error!(%error, "could not take a failed change back");
        }
    }

    /// Tells the checker what to check, each once.
    pub(super) fn set_targets(&mut self) {
        let (now, now_s) = (Moment::now(), clock::now_s());
        let mut targets = BTreeMap::new();
        for service in &self.model.services {
            for backend in service.backends.iter().filter(|backend| backend.state_at(now) != AdminState::Disabled) {
                let Some(subject) = self.liveness.subject(&service.name, &backend.name) else { continue };
                let initially_up = self.liveness.health(&service.name, &backend.name, now_s) == Health::Up;
                // Services of one pool have the same subject in one place.
                targets.insert(Arc::as_ptr(subject), Target { subject: Arc::clone(subject), initially_up });
            }
        }
        self.checker.set_targets(targets.into_values().collect());
    }

    fn changed(&self, changes: Vec<String>, took: Duration) -> Changed {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Changed { changes, microseconds, warnings: self.warnings() }
    }
}

const fn nothing() -> Changed {
    Changed { changes: Vec::new(), microseconds: 0, warnings: Vec::new() }
}

pub(super) fn to_api(error: DaemonError) -> ApiError {
    let is_usage = error.is_usage();
    let text = format!("{:#}", anyhow::Error::from(error));
    if is_usage { ApiError::usage(text) } else { ApiError::failure(text) }
}
