//! What the API asks of the daemon's state.

use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot};

use crate::{
    api::{
        Operator,
        types::{
            ApiError, ApplyRequest, ChangeRequest, Changed, ConfirmRequest, DropEvent, DropFilter, Drops, ExplainQuery,
            Explanation, Imported, LimitStatus, List, ListTest, RuleStatus, ServiceStatus, Status, TopDrops,
        },
    },
    feeds::Outcome,
    telemetry::By,
};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// A request, and whose connection it must not cut.
pub(super) type Asked = (Request, Option<Operator>);

/// A request, and where its answer goes.
pub(super) enum Request {
    Status(Reply<Status>),
    Services(Reply<Vec<ServiceStatus>>),
    Drops(Reply<Drops>),
    FollowDrops(DropFilter, Reply<mpsc::Receiver<DropEvent>>),
    TopDrops(By, usize, Reply<TopDrops>),
    Explain(ExplainQuery, Reply<Explanation>),
    Rules(Reply<Vec<RuleStatus>>),
    Limits(Reply<Vec<LimitStatus>>),
    Lists(Reply<Vec<List>>),
    List(String, Reply<List>),
    ListTest(String, IpAddr, Reply<ListTest>),
    ListExport(String, Reply<String>),
    ListImport(String, Vec<u8>, bool, Reply<Imported>),
    ListRefresh(String, Reply<oneshot::Receiver<Outcome>>),
    Plan(Option<ApplyRequest>, Reply<Changed>),
    Change(ChangeRequest, Reply<Changed>),
    Apply(Option<ApplyRequest>, Reply<Changed>),
    Confirm(ConfirmRequest, Reply<Changed>),
}
