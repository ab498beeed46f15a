//! What the API asks of the daemon's state.

use std::net::IpAddr;

use tokio::sync::oneshot;

use crate::{
    api::types::{
        ApiError, ApplyRequest, ChangeRequest, Changed, Drops, LimitStatus, List, ListTest, RuleStatus, ServiceStatus,
        Status,
    },
    model::ListKind,
};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// A request, and where its answer goes.
pub(super) enum Request {
    Status(Reply<Status>),
    Services(Reply<Vec<ServiceStatus>>),
    Drops(Reply<Drops>),
    Rules(Reply<Vec<RuleStatus>>),
    Limits(Reply<Vec<LimitStatus>>),
    List(ListKind, Reply<List>),
    ListTest(ListKind, IpAddr, Reply<ListTest>),
    Change(ChangeRequest, Reply<Changed>),
    Apply(Option<ApplyRequest>, Reply<Changed>),
}
