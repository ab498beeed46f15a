//! One HTTP connection, with every way to fail told apart.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use super::Failure;

/// A header that the lab's servers put their name into.
const NAME_HEADER: &str = "x-backend";
/// For servers that do not.
const UNNAMED: &str = "unnamed";

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
    host: String,
    allowed: Duration,
}

impl Connection {
    /// Connects, within the time that requests are allowed to take as well.
    pub(super) async fn open(target: SocketAddr, allowed: Duration) -> Result<Self, Failure> {
        let connecting = timeout(allowed, TcpStream::connect(target)).await;
        let stream = connecting.map_err(|_| Failure::ConnectTimeout)?.map_err(|error| Failure::from(&error))?;
        stream.set_nodelay(true).map_err(|error| Failure::from(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its errors reach the requests that suffer from them.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver, host: target.to_string(), allowed })
    }

    /// Asks for a path; returns the name of who answered. The server closes the connection after the last request.
    pub(super) async fn get(&mut self, path: &str, last: bool) -> Result<String, Failure> {
        timeout(self.allowed, self.exchange(path, last)).await.unwrap_or(Err(Failure::AnswerTimeout))
    }

    async fn exchange(&mut self, path: &str, last: bool) -> Result<String, Failure> {
        self.sender.ready().await?;
        let request = Request::get(path)
            .header(HOST, &self.host)
            .header(CONNECTION, if last { "close" } else { "keep-alive" })
            .body(Empty::new())
            .map_err(|error| Failure::Other(error.to_string()))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let name = answer.headers().get(NAME_HEADER).and_then(|name| name.to_str().ok()).unwrap_or(UNNAMED).to_owned();
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        if status.is_success() { Ok(name) } else { Err(Failure::Status(status.as_u16())) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
