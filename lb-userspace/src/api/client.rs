//! The asking side of the API: a method for each endpoint.
//!
//! A command asks once or twice and ends, so every request has a connection of its own: over a Unix socket that costs some
//! ten microseconds and spares a pool with its states.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::{net::UnixStream, time::timeout};

use super::{
    ClientError, DropStream, MAX_BODY_BYTES, Operator, operator,
    types::{
        ApiError, ApplyRequest, ChangeRequest, Changed, ConfirmRequest, DropFilter, Drops, ExplainQuery, Explanation,
        Imported, LimitStatus, List, ListTest, Refreshed, RuleStatus, ServiceStatus, Status, TopDrops,
    },
};
use crate::telemetry::By;

fn list_path(name: &str) -> String {
    format!("/v1/lists/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the daemon behind a socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
    operator: Option<Operator>,
}

impl Client {
    /// A client of the daemon behind `socket`; nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), timeout: TIMEOUT, operator: None }
    }

    /// The same client with another limit on the time of each request.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same client, whose changes spare an operator's connection.
    pub fn on_behalf_of(self, operator: Option<Operator>) -> Self {
        Self { operator, ..self }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The daemon as a whole.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status").await
    }

    /// All services with their backends.
    pub async fn services(&self) -> Result<Vec<ServiceStatus>, ClientError> {
        self.get("/v1/services").await
    }

    /// One service with its backends.
    pub async fn service(&self, name: &str) -> Result<ServiceStatus, ClientError> {
        self.get(&format!("/v1/services/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))).await
    }

    /// The packets dropped.
    pub async fn drops(&self) -> Result<Drops, ClientError> {
        self.get("/v1/drops").await
    }

    /// Drops as they come.
    pub async fn follow_drops(&self, filter: &DropFilter) -> Result<DropStream, ClientError> {
        let parts = [
            ("reason", Some(&filter.reason).filter(|names| !names.is_empty())),
            ("source", filter.source.as_ref()),
            ("service", filter.service.as_ref()),
        ];
        let escaped = |(name, value): (&str, Option<&String>)| {
            value.map(|value| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        };
        let query: Vec<String> = parts.into_iter().filter_map(escaped).collect();
        let path = format!("/v1/drops/events?{}", query.join("&"));
        let response = self.timely(self.send(Method::GET, &path, Bytes::new())).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(DropStream::new(response.into_body(), self.socket.clone(), self.timeout));
        }
        Err(self.refusal(status, &self.timely(self.collected(response)).await?))
    }

    /// Who is behind most of the drops.
    pub async fn top_drops(&self, by: By, count: usize) -> Result<TopDrops, ClientError> {
        self.get(&format!("/v1/drops/top?by={}&count={count}", by.name())).await
    }

    /// What would become of a packet, and why.
    pub async fn explain(&self, query: &ExplainQuery) -> Result<Explanation, ClientError> {
        let ExplainQuery { from, to, .. } = query;
        let mut path = format!("/v1/explain?from={from}&to={to}&protocol={}", query.protocol.name());
        for (name, port) in [("from_port", query.from_port), ("to_port", query.to_port)] {
            path.extend(port.map(|port| format!("&{name}={port}")));
        }
        if query.established {
            path += "&established=true";
        }
        let interface = query.interface.as_ref();
        path.extend(interface.map(|name| format!("&interface={}", utf8_percent_encode(name, NON_ALPHANUMERIC))));
        self.get(&path).await
    }

    /// The rules, in the order in which packets meet them.
    pub async fn rules(&self) -> Result<Vec<RuleStatus>, ClientError> {
        self.get("/v1/rules").await
    }

    /// The rate limits, in the order of the configuration.
    pub async fn limits(&self) -> Result<Vec<LimitStatus>, ClientError> {
        self.get("/v1/limits").await
    }

    /// The lists and their counters.
    pub async fn lists(&self) -> Result<Vec<List>, ClientError> {
        self.get("/v1/lists").await
    }

    /// A list with its own entries.
    pub async fn list(&self, name: &str) -> Result<List, ClientError> {
        self.get(&list_path(name)).await
    }

    /// What a list says about an address.
    pub async fn list_test(&self, name: &str, address: IpAddr) -> Result<ListTest, ClientError> {
        self.get(&format!("{}/test?address={address}", list_path(name))).await
    }

    /// Every prefix of a list, as a file.
    pub async fn list_export(&self, name: &str) -> Result<String, ClientError> {
        let body = self.request(Method::GET, &format!("{}/export", list_path(name)), Bytes::new()).await?;
        String::from_utf8(body.into()).map_err(|error| self.foreign(error.to_string()))
    }

    /// Takes a file's prefixes in place of those of the last import into the list.
    pub async fn list_import(&self, name: &str, text: Vec<u8>, force: bool) -> Result<Imported, ClientError> {
        let path = format!("{}/import?force={force}", list_path(name));
        self.json(Method::POST, &path, text.into()).await
    }

    /// Fetches a list from its server at once.
    pub async fn list_refresh(&self, name: &str) -> Result<Refreshed, ClientError> {
        self.json(Method::POST, &format!("{}/refresh", list_path(name)), Bytes::new()).await
    }

    /// Makes one edit of the configuration.
    pub async fn change(&self, request: &ChangeRequest) -> Result<Changed, ClientError> {
        self.post("/v1/change", serde_json::to_vec(request)).await
    }

    /// Puts a whole configuration into effect; without one, the daemon's own file is read again.
    pub async fn apply(&self, document: Option<&ApplyRequest>) -> Result<Changed, ClientError> {
        self.post("/v1/apply", document.map_or(Ok(Vec::new()), serde_json::to_vec)).await
    }

    /// What that would do. Nothing is changed.
    pub async fn plan(&self, document: Option<&ApplyRequest>) -> Result<Changed, ClientError> {
        self.post("/v1/plan", document.map_or(Ok(Vec::new()), serde_json::to_vec)).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::GET, path, Bytes::new()).await
    }

    /// Ends the trial of a configuration.
    pub async fn confirm(&self, request: &ConfirmRequest) -> Result<Changed, ClientError> {
        self.post("/v1/confirm", serde_json::to_vec(request)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: serde_json::Result<Vec<u8>>) -> Result<T, ClientError> {
        let body =
            body.map_err(|error| ApiError::failure(format!("the request cannot be written as JSON: {error}")))?;
        // The server closes the connection on what is too large, and then the answer may be lost.
        if body.len() > MAX_BODY_BYTES {
            return Err(ApiError::too_large().into());
        }
        self.json(Method::POST, path, body.into()).await
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, ClientError> {
        let body = self.request(method, path, body).await?;
        serde_json::from_slice(&body).map_err(|error| self.foreign(error.to_string()))
    }

    async fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ClientError> {
        let exchange = async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            Ok((status, self.collected(response).await?))
        };
        let (status, body) = self.timely(exchange).await?;
        if !status.is_success() {
            return Err(self.refusal(status, &body));
        }
        Ok(body)
    }

    /// Ends what takes too long.
    async fn timely<T>(&self, what: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        let expired = |_| ClientError::Timeout { socket: self.socket.clone(), timeout: self.timeout };
        timeout(self.timeout, what).await.map_err(expired)?
    }

    /// Sends a request and returns the answer as soon as it begins.
    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| ClientError::connect(self.socket.clone(), source))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|source| self.broken(source))?;
        // The connection does the reading and writing, and ends with the answer; its own result adds nothing to that.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json");
        let request = match &self.operator {
            Some(operator) => request.header(operator::HEADER, operator.to_string()),
            None => request,
        };
        let request = request
            .body(Full::new(body))
            .map_err(|error| ApiError::usage(format!("{path} cannot be asked for: {error}")))?;
        sender.send_request(request).await.map_err(|source| self.broken(source))
    }

    async fn collected(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = response.into_body().collect().await.map_err(|source| self.broken(source))?;
        Ok(body.to_bytes())
    }

    /// What an answer that is no success says.
    fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        serde_json::from_slice::<ApiError>(body)
            .map_or_else(|_| self.foreign(format!("it answered {status}")), ClientError::Refused)
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::Broken { socket: self.socket.clone(), source }
    }

    fn foreign(&self, reason: String) -> ClientError {
        ClientError::Foreign { socket: self.socket.clone(), reason }
    }
}
