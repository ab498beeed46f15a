//! The API: HTTP/JSON over a Unix socket.
//!
//! Everything that an operator can ask of a running daemon goes through here, so that whatever the command line can do,
//! a script can do as well. The [`server`](serve) turns requests into calls of [`Control`], which the daemon
//! implements, and a [`Client`] turns the same calls into requests; both speak the shapes of [`types`]. A Unix socket
//! needs no secret: the file's permissions decide who may ask, and the kernel checks them.

mod client;
mod client_error;
mod drop_stream;
mod endpoints;
mod listener;
#[cfg(test)]
pub(crate) mod memory;
mod operator;
mod problem;
mod server;
#[cfg(test)]
mod tests;
pub mod types;

use std::{fmt, future::Future, net::IpAddr};

pub use client::Client;
pub use client_error::ClientError;
pub use drop_stream::{DropStream, Followed};
pub use listener::{BindError, Listener, bind};
pub use operator::Operator;
pub use server::serve;

use tokio::sync::mpsc;

use crate::telemetry::By;
use types::{
    ApiError, ApplyRequest, ChangeRequest, Changed, ConfirmRequest, DropEvent, DropFilter, Drops, ExplainQuery,
    Explanation, Imported, LimitStatus, List, ListTest, Refreshed, RuleStatus, ServiceStatus, Status, TopDrops,
};

/// The largest body of a request: a configuration with half a million list prefixes.
const MAX_BODY_BYTES: usize = 16 << 20;

/// The largest file that can be imported into a list: some thirty million prefixes.
const MAX_IMPORT_BYTES: usize = 512 << 20;

/// What the API needs of the daemon: a method for each endpoint.
pub trait Control: Clone + Send + Sync + 'static {
    /// The daemon as a whole.
    fn status(&self) -> impl Future<Output = Result<Status, ApiError>> + Send;

    /// The services with their backends, in the order of the configuration.
    fn services(&self) -> impl Future<Output = Result<Vec<ServiceStatus>, ApiError>> + Send;

    /// The packets dropped, with every reason present.
    fn drops(&self) -> impl Future<Output = Result<Drops, ApiError>> + Send;

    /// The rules, in the order in which packets meet them.
    fn rules(&self) -> impl Future<Output = Result<Vec<RuleStatus>, ApiError>> + Send;
    /// The lists and their counters, in the order in which they are asked.
    fn lists(&self) -> impl Future<Output = Result<Vec<List>, ApiError>> + Send;
    /// Drops as they come, as far as they are recorded, until the receiver is dropped.
    fn follow_drops(
        &self,
        filter: DropFilter,
    ) -> impl Future<Output = Result<mpsc::Receiver<DropEvent>, ApiError>> + Send;

    /// Who is behind most of the drops.
    fn top_drops(&self, by: By, count: usize) -> impl Future<Output = Result<TopDrops, ApiError>> + Send;
    /// The rate limits, in the order of the configuration.
    fn limits(&self) -> impl Future<Output = Result<Vec<LimitStatus>, ApiError>> + Send;

    /// What would become of a packet, and why. Nothing is sent or counted.
    fn explain(&self, query: ExplainQuery) -> impl Future<Output = Result<Explanation, ApiError>> + Send;

    /// A list with its own entries.
    fn list(&self, name: String) -> impl Future<Output = Result<List, ApiError>> + Send;

    /// What a list says about an address, and what all lists lead to.
    fn list_test(&self, name: String, address: IpAddr) -> impl Future<Output = Result<ListTest, ApiError>> + Send;

    /// Every prefix of a list, as a file.
    fn list_export(&self, name: String) -> impl Future<Output = Result<String, ApiError>> + Send;

    /// Takes a file's prefixes in place of those of the last import into the list, or does nothing at all.
    fn list_import(
        &self,
        name: String,
        text: Vec<u8>,
        force: bool,
        operator: Option<Operator>,
    ) -> impl Future<Output = Result<Imported, ApiError>> + Send;

    /// Fetches a list from its server at once, and waits for what becomes of it.
    fn list_refresh(&self, name: String) -> impl Future<Output = Result<Refreshed, ApiError>> + Send;

    /// Makes one edit of the configuration and puts it into effect, or does nothing at all.
    ///
    /// This and the like spare the connection of an operator who is named.
    fn change(
        &self,
        request: ChangeRequest,
        operator: Option<Operator>,
    ) -> impl Future<Output = Result<Changed, ApiError>> + Send;

    /// Puts a whole configuration into effect, or does nothing at all; without one, the daemon's own file is read again.
    fn apply(
        &self,
        document: Option<ApplyRequest>,
        operator: Option<Operator>,
    ) -> impl Future<Output = Result<Changed, ApiError>> + Send;

    /// What that would do. Nothing is changed.
    fn plan(
        &self,
        document: Option<ApplyRequest>,
        operator: Option<Operator>,
    ) -> impl Future<Output = Result<Changed, ApiError>> + Send;

    /// Ends the trial of a configuration: keeps it, or brings back what was before.
    fn confirm(&self, request: ConfirmRequest) -> impl Future<Output = Result<Changed, ApiError>> + Send;
}

impl ApiError {
    /// The request's body is larger than the server takes.
    fn too_large() -> Self {
        Self::usage(format_args!("the request is larger than {} MiB", MAX_BODY_BYTES >> 20))
    }

    /// The request or the configuration is at fault.
    pub fn usage(error: impl fmt::Display) -> Self {
        Self { error: error.to_string(), usage: true }
    }

    /// The machine is at fault.
    pub fn failure(error: impl fmt::Display) -> Self {
        Self { error: error.to_string(), usage: false }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for ApiError {}
