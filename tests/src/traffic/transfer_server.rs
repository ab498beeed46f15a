//! The other end of a [`super::Transfer`].

use std::{
    net::{Ipv6Addr, TcpListener as StdListener},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    transfer::{receive, send},
    worker::Worker,
};
use crate::lab::Namespace;

/// A server in a namespace, on all addresses of both families.
///
/// A client says direction, size and rate; the server answers with its name, and then sends, or receives and says
/// whether every byte was right.
#[derive(Debug)]
pub struct TransferServer {
    _worker: Worker<()>,
}

impl TransferServer {
    /// Starts a server; it listens when this returns.
    pub fn start(namespace: &Namespace, name: &str, port: u16) -> anyhow::Result<Self> {
        let listener = namespace
            .enter(|| StdListener::bind((Ipv6Addr::UNSPECIFIED, port)))?
            .with_context(|| format!("the transfer server {name} cannot listen on port {port}"))?;
        listener.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        let name: Arc<str> = name.into();
        let worker = Worker::start(namespace, move |mut stop| async move {
            tokio::select! {
                done = accept(listener, name) => done,
                () = stop.asked() => Ok(()),
            }
        })?;
        Ok(Self { _worker: worker })
    }
}

async fn accept(listener: StdListener, name: Arc<str>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = listener.accept().await?;
        let name = Arc::clone(&name);
        // A transfer that breaks is the client's to report.
        tokio::spawn(async move { drop(serve(socket, &name).await) });
    }
}

async fn serve(mut socket: TcpStream, name: &str) -> anyhow::Result<()> {
    let upload = socket.read_u8().await? != 0;
    let size_bytes = socket.read_u64().await?;
    let rate_bytes_per_second = Some(socket.read_u64().await?).filter(|rate| *rate > 0);
    socket.write_u8(name.len().try_into().context("the server's name is too long")?).await?;
    socket.write_all(name.as_bytes()).await?;
    let moved_bytes = AtomicU64::new(0);
    if upload {
        let verdict = receive(&mut socket, size_bytes, &moved_bytes).await?;
        socket.write_u64(verdict).await?;
        return Ok(());
    }
    send(&mut socket, size_bytes, rate_bytes_per_second, &moved_bytes).await
}
