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
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::{net::UnixStream, time::timeout};

use super::{
    ClientError, MAX_BODY_BYTES,
    types::{ApiError, ApplyRequest, ChangeRequest, Changed, Drops, Imported, List, ListTest, ServiceStatus, Status},
};

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
}

impl Client {
    /// A client of the daemon behind `socket`; nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), timeout: TIMEOUT }
    }

    /// The same client with another limit on the time of each request.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
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

    /// Makes one edit of the configuration.
    pub async fn change(&self, request: &ChangeRequest) -> Result<Changed, ClientError> {
        self.post("/v1/change", serde_json::to_vec(request)).await
    }

    /// Puts a whole configuration into effect; without one, the daemon's own file is read again.
    pub async fn apply(&self, document: Option<&ApplyRequest>) -> Result<Changed, ClientError> {
        self.post("/v1/apply", document.map_or(Ok(Vec::new()), serde_json::to_vec)).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::GET, path, Bytes::new()).await
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
        let expired = |_| ClientError::Timeout { socket: self.socket.clone(), timeout: self.timeout };
        let (status, body) = timeout(self.timeout, self.exchange(method, path, body)).await.map_err(expired)??;
        if !status.is_success() {
            return Err(serde_json::from_slice::<ApiError>(&body)
                .map_or_else(|_| self.foreign(format!("it answered {status}")), ClientError::Refused));
        }
        Ok(body)
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), ClientError> {
        let broken = |source| ClientError::Broken { socket: self.socket.clone(), source };
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| ClientError::connect(self.socket.clone(), source))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| ApiError::usage(format!("{path} cannot be asked for: {error}")))?;
        let answer = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        // The connection does the reading and writing; its own result adds nothing to the answer's.
        let (answer, _) = tokio::join!(answer, connection);
        answer.map_err(broken)
    }

    fn foreign(&self, reason: String) -> ClientError {
        ClientError::Foreign { socket: self.socket.clone(), reason }
    }
}
