//! What the API asks of the daemon's state.

use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot};

use crate::{
    api::types::{
        ApiError, ApplyRequest, ChangeRequest, Changed, DropEvent, DropFilter, Drops, ExplainQuery, Explanation, List,
        ListTest, ServiceStatus, Status, TopDrops,
    },
    model::ListKind,
    telemetry::By,
};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// A request, and where its answer goes.
pub(super) enum Request {
    Status(Reply<Status>),
    Services(Reply<Vec<ServiceStatus>>),
    Drops(Reply<Drops>),
    FollowDrops(DropFilter, Reply<mpsc::Receiver<DropEvent>>),
    TopDrops(By, usize, Reply<TopDrops>),
    Explain(ExplainQuery, Reply<Explanation>),
    List(ListKind, Reply<List>),
    ListTest(ListKind, IpAddr, Reply<ListTest>),
    Change(ChangeRequest, Reply<Changed>),
    Apply(Option<ApplyRequest>, Reply<Changed>),
}
