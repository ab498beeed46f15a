//! What a configuration would do, found out without doing it.

use std::sync::Arc;

use super::{DaemonError, adopt::to_api, differences::differences, state::State};
use crate::{
    api::types::{ApiError, ApplyRequest, Changed},
    model::Model,
};

impl State {
    /// What taking a whole configuration, or its own file again, would change; refuses what that would refuse.
    pub(super) async fn plan(&mut self, request: Option<ApplyRequest>) -> Result<Changed, ApiError> {
        let (_, model) = self.read(request.as_ref())?;
        let changes = if model == self.model { Vec::new() } else { differences(&self.model, &model) };
        self.rehearse(model).await.map_err(to_api)?;
        Ok(Changed { changes, microseconds: 0, warnings: Vec::new() })
    }

    /// Goes through all that may refuse a model short of the kernel; everything is as it was afterwards.
    async fn rehearse(&mut self, model: Model) -> Result<(), DaemonError> {
        let files = self.list_files(&model).await?;
        let wanted = self.wanted_interfaces(&model).await?;
        let (planner, listed, lists) = (self.planner.clone(), self.listed.clone(), Arc::clone(&self.lists));
        let model_before = std::mem::replace(&mut self.model, model);
        let interfaces_before = std::mem::replace(&mut self.interfaces, wanted);
        self.listed.set_files(files);
        self.listed.keep_feeds(&self.model.firewall);
        let outcome = self.try_model();
        self.model = model_before;
        self.interfaces = interfaces_before;
        (self.planner, self.listed, self.lists) = (planner, listed, lists);
        outcome
    }

    fn try_model(&mut self) -> Result<(), DaemonError> {
        self.compose_lists()?;
        let desired = self.desired(None)?;
        self.spare_operator(&desired.snapshot)
    }
}
