//! The API's way to the daemon's state: a message for each request, answered in turn.

use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot};

use super::request::{Asked, Reply, Request};
use crate::{
    api::{
        Control, Operator,
        types::{
            ApiError, ApplyRequest, ChangeRequest, Changed, ConfirmRequest, DropEvent, DropFilter, Drops, ExplainQuery,
            Explanation, Imported, LimitStatus, List, ListTest, Refreshed, RuleStatus, ServiceStatus, Status, TopDrops,
        },
    },
    telemetry::By,
};

/// Sends requests to the daemon's state.
#[derive(Clone)]
pub(super) struct Handle {
    requests: mpsc::Sender<Asked>,
}

impl Handle {
    pub(super) const fn new(requests: mpsc::Sender<Asked>) -> Self {
        Self { requests }
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ApiError> {
        self.ask_for(None, request).await
    }

    /// Asks for somebody whose connection must be spared.
    async fn ask_for<T>(
        &self,
        operator: Option<Operator>,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, ApiError> {
        let stopping = || ApiError::failure("the daemon is stopping");
        let (reply, answer) = oneshot::channel();
        self.requests.send((request(reply), operator)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

impl Control for Handle {
    async fn status(&self) -> Result<Status, ApiError> {
        self.ask(Request::Status).await
    }

    async fn services(&self) -> Result<Vec<ServiceStatus>, ApiError> {
        self.ask(Request::Services).await
    }

    async fn drops(&self) -> Result<Drops, ApiError> {
        self.ask(Request::Drops).await
    }

    async fn rules(&self) -> Result<Vec<RuleStatus>, ApiError> {
        self.ask(Request::Rules).await
    }

    async fn limits(&self) -> Result<Vec<LimitStatus>, ApiError> {
        self.ask(Request::Limits).await
    }

    async fn follow_drops(&self, filter: DropFilter) -> Result<mpsc::Receiver<DropEvent>, ApiError> {
        self.ask(|reply| Request::FollowDrops(filter, reply)).await
    }

    async fn top_drops(&self, by: By, count: usize) -> Result<TopDrops, ApiError> {
        self.ask(|reply| Request::TopDrops(by, count, reply)).await
    }

    async fn explain(&self, query: ExplainQuery) -> Result<Explanation, ApiError> {
        self.ask(|reply| Request::Explain(query, reply)).await
    }

    async fn lists(&self) -> Result<Vec<List>, ApiError> {
        self.ask(Request::Lists).await
    }

    async fn list(&self, name: String) -> Result<List, ApiError> {
        self.ask(|reply| Request::List(name, reply)).await
    }

    async fn list_test(&self, name: String, address: IpAddr) -> Result<ListTest, ApiError> {
        self.ask(|reply| Request::ListTest(name, address, reply)).await
    }

    async fn list_export(&self, name: String) -> Result<String, ApiError> {
        self.ask(|reply| Request::ListExport(name, reply)).await
    }

    async fn list_import(
        &self,
        name: String,
        text: Vec<u8>,
        force: bool,
        operator: Option<Operator>,
    ) -> Result<Imported, ApiError> {
        self.ask_for(operator, |reply| Request::ListImport(name, text, force, reply)).await
    }

    async fn list_refresh(&self, name: String) -> Result<Refreshed, ApiError> {
        let outcome = self.ask(|reply| Request::ListRefresh(name, reply)).await?;
        let gone = "the list's feed was changed or removed before it was fetched, or the daemon is stopping";
        outcome.await.map_err(|_| ApiError::failure(gone))?
    }

    async fn plan(&self, document: Option<ApplyRequest>, operator: Option<Operator>) -> Result<Changed, ApiError> {
        self.ask_for(operator, |reply| Request::Plan(document, reply)).await
    }

    async fn change(&self, request: ChangeRequest, operator: Option<Operator>) -> Result<Changed, ApiError> {
        self.ask_for(operator, |reply| Request::Change(request, reply)).await
    }

    async fn confirm(&self, request: ConfirmRequest) -> Result<Changed, ApiError> {
        self.ask(|reply| Request::Confirm(request, reply)).await
    }

    async fn apply(&self, document: Option<ApplyRequest>, operator: Option<Operator>) -> Result<Changed, ApiError> {
        self.ask_for(operator, |reply| Request::Apply(document, reply)).await
    }
}
