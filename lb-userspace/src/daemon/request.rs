//! What the API asks of the daemon's state.

use std::net::IpAddr;

use tokio::sync::oneshot;

use crate::api::types::{
    ApiError, ApplyRequest, ChangeRequest, Changed, Drops, Imported, List, ListTest, ServiceStatus, Status,
};

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// A request, and where its answer goes.
pub(super) enum Request {
    Status(Reply<Status>),
    Services(Reply<Vec<ServiceStatus>>),
    Drops(Reply<Drops>),
    Lists(Reply<Vec<List>>),
    List(String, Reply<List>),
    ListTest(String, IpAddr, Reply<ListTest>),
    ListExport(String, Reply<String>),
    ListImport(String, Vec<u8>, bool, Reply<Imported>),
    Change(ChangeRequest, Reply<Changed>),
    Apply(Option<ApplyRequest>, Reply<Changed>),
}
