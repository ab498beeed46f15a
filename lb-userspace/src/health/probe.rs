//! One check: connect, perhaps ask, and tell what was wrong.

use std::{error::Error, fmt, io, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::model::Probe;

/// So much of what a server says is read: header and body each.
const READ_LIMIT_BYTES: usize = 64 * 1024;
/// A finished check waits so long for the server's end of the connection to be closed. Closing with unread data would
/// send a RST, which servers log as an error.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a check failed, in words.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There was no connection in time.
    #[error("no answer within {0:?}")]
    NoConnection(Duration),
    /// There was a connection, but no HTTP response in time.
    #[error("connected, but no HTTP answer within {0:?}")]
    NoResponse(Duration),
    /// There was no connection.
    #[error("{}", words(.0))]
    Connect(#[source] io::Error),
    /// The connection brought no HTTP response.
    #[error("{}", exchange_words(.0))]
    Exchange(#[source] hyper::Error),
    /// The configuration's path or host cannot be sent.
    #[error("the request cannot be sent, look at the check's path and host: {0}")]
    Request(#[source] hyper::http::Error),
    /// The response has another status than it should.
    #[error("HTTP status {status}, expected {}", Ranges(.expected))]
    Status {
        /// The status.
        status: u16,
        /// What would have passed.
        expected: Vec<(u16, u16)>,
    },
}

impl Failure {
    /// Whether the other side refused the connection.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// Performs a check.
pub(super) async fn run(probe: &Probe, address: SocketAddr, limit: Duration) -> Result<(), Failure> {
    let mut connected = false;
    let check = async {
        let stream = TcpStream::connect(address).await.map_err(Failure::Connect)?;
        connected = true;
        match probe {
            Probe::Tcp => {
                tokio::spawn(timeout(CLOSE_TIMEOUT, close(stream)));
                Ok(())
            }
            Probe::Http { path, host, status } => {
                let host = host.clone().unwrap_or_else(|| address.to_string());
                expect_status(get(stream, path, &host).await?, status)
            }
        }
    };
    let outcome = timeout(limit, check).await;
    outcome.unwrap_or_else(|_| Err(if connected { Failure::NoResponse(limit) } else { Failure::NoConnection(limit) }))
}

/// Closes in good order: says that nothing more comes, and takes what is still on its way.
async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(READ_LIMIT_BYTES as u64), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Sends a GET and returns the status of the response; its body is read in the background.
async fn get(stream: TcpStream, path: &str, host: &str) -> Result<u16, Failure> {
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(Failure::Request)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(READ_LIMIT_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Failure::Exchange)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(Failure::Exchange)?;
    let status = response.status().as_u16();
    tokio::spawn(timeout(CLOSE_TIMEOUT, finish(response, driver)));
    Ok(status)
}

/// Reads the body as far as the limit goes, then lets the connection end.
async fn finish(response: Response<Incoming>, mut driver: JoinSet<hyper::Result<()>>) {
    // The status has decided already: whatever happens to the body changes nothing.
    let _ = Limited::new(response.into_body(), READ_LIMIT_BYTES).collect().await;
    let _ = driver.join_next().await;
}

fn expect_status(status: u16, expected: &[(u16, u16)]) -> Result<(), Failure> {
    if expected.iter().any(|&(low, high)| (low..=high).contains(&status)) {
        return Ok(());
    }
    Err(Failure::Status { status, expected: expected.to_vec() })
}

/// Status ranges as the configuration writes them: `200-299, 401`.
struct Ranges<'a>(&'a [(u16, u16)]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, &(low, high)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match low == high {
                true => write!(f, "{separator}{low}")?,
                false => write!(f, "{separator}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::HostUnreachable => "host unreachable".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        _ => error.to_string(),
    }
}

fn exchange_words(error: &hyper::Error) -> String {
    if error.is_parse_too_large() {
        return format!("the HTTP header is longer than {READ_LIMIT_BYTES} bytes");
    }
    if error.is_parse() {
        return "the answer is not HTTP".into();
    }
    if error.is_incomplete_message() {
        return "connection closed before an HTTP answer".into();
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(error) => words(error),
        None => error.to_string(),
    }
}
