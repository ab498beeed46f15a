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
        let changes = differences(&self.model, &model);
        self.rehearse(model).await.map_err(to_api)?;
        Ok(Changed { changes, microseconds: 0, warnings: Vec::new() })
    }

    /// Goes through all that may refuse a model short of the kernel; everything is as it was afterwards.
    async fn rehearse(&mut self, model: Model) -> Result<(), DaemonError> {
        let files = self.list_files(&model).await?;
        let wanted = self.wanted_interfaces(&model).await?;
        let (planner, lists) = (self.planner.clone(), Arc::clone(&self.lists));
        let before = self.replace(model, wanted, files);
        let outcome = self.try_model();
        self.restore(before);
        (self.planner, self.lists) = (planner, lists);
        outcome
    }

    fn try_model(&mut self) -> Result<(), DaemonError> {
        self.compose_lists()?;
        let desired = self.desired(None)?;
        self.spare_operator(&desired.snapshot)
    }
}
