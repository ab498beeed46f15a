//! The API's way to the daemon's state: a message for each request, answered in turn.

use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot};

use super::state::State;
use crate::{
    api::{
        Control,
        types::{ApiError, ApplyRequest, ChangeRequest, Changed, Drops, List, ListTest, ServiceStatus, Status},
    },
    model::ListKind,
};

/// Where an answer goes.
type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// A request, and where its answer goes.
pub(super) enum Request {
    Status(Reply<Status>),
    Services(Reply<Vec<ServiceStatus>>),
    Drops(Reply<Drops>),
    List(ListKind, Reply<List>),
    ListTest(ListKind, IpAddr, Reply<ListTest>),
    Change(ChangeRequest, Reply<Changed>),
    Apply(Option<ApplyRequest>, Reply<Changed>),
}

/// Sends requests to the daemon's state.
#[derive(Clone)]
pub(super) struct Handle {
    requests: mpsc::Sender<Request>,
}

impl Handle {
    pub(super) const fn new(requests: mpsc::Sender<Request>) -> Self {
        Self { requests }
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ApiError> {
        let stopping = || ApiError::failure("the daemon is stopping");
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| stopping())?;
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

    async fn list(&self, kind: ListKind) -> Result<List, ApiError> {
        self.ask(|reply| Request::List(kind, reply)).await
    }

    async fn list_test(&self, kind: ListKind, address: IpAddr) -> Result<ListTest, ApiError> {
        self.ask(|reply| Request::ListTest(kind, address, reply)).await
    }

    async fn change(&self, request: ChangeRequest) -> Result<Changed, ApiError> {
        self.ask(|reply| Request::Change(request, reply)).await
    }

    async fn apply(&self, document: Option<ApplyRequest>) -> Result<Changed, ApiError> {
        self.ask(|reply| Request::Apply(document, reply)).await
    }
}

impl State {
    /// Answers a request. Whoever asked may have gone, which is no matter.
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Status(reply) => drop(reply.send(self.status().await)),
            Request::Services(reply) => drop(reply.send(self.services())),
            Request::Drops(reply) => drop(reply.send(self.drops())),
            Request::List(kind, reply) => drop(reply.send(self.list(kind))),
            Request::ListTest(kind, address, reply) => drop(reply.send(Ok(self.list_test(kind, address)))),
            Request::Change(request, reply) => drop(reply.send(self.change(request).await)),
            Request::Apply(request, reply) => drop(reply.send(self.apply(request).await)),
        }
    }
}
