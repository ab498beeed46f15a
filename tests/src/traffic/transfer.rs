//! One long connection that must survive what happens meanwhile.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::{Stream, worker::Worker};
use crate::lab::{Namespace, until};

/// What is read or written at a time.
const CHUNK_BYTES: u64 = 64 * 1024;
/// What the receiver answers when every byte was right; anything else is the position of the first wrong one.
pub(super) const RIGHT: u64 = u64::MAX;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the server.
    Download,
    /// To the server: the direction that passes the node whatever the delivery.
    Upload,
}

/// How much, which way and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferOptions {
    /// Which way the bytes go.
    pub direction: Direction,
    /// How many.
    pub size_bytes: u64,
    /// How fast; none: as fast as possible.
    pub rate_bytes_per_second: Option<u64>,
}

/// A transfer from or to a [`super::TransferServer`], under way.
#[derive(Debug)]
pub struct Transfer {
    worker: Worker<()>,
    progress: Arc<Progress>,
    options: TransferOptions,
}

/// What is known of a transfer under way.
#[derive(Debug, Default)]
struct Progress {
    moved_bytes: AtomicU64,
    backend: OnceLock<String>,
}

impl Transfer {
    /// Connects to a server from a namespace and begins.
    pub fn start(namespace: &Namespace, target: SocketAddr, options: TransferOptions) -> anyhow::Result<Self> {
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let worker = Worker::start(namespace, move |mut stop| async move {
            tokio::select! {
                done = run(target, options, &shared) => done,
                () = stop.asked() => bail!("stopped after {} bytes", shared.moved_bytes.load(Ordering::Relaxed)),
            }
        })?;
        Ok(Self { worker, progress, options })
    }

    /// Bytes sent or received and compared so far.
    pub fn moved_bytes(&self) -> u64 {
        self.progress.moved_bytes.load(Ordering::Relaxed)
    }

    /// The server's name, once it has answered.
    pub fn backend(&self) -> Option<&str> {
        self.progress.backend.get().map(String::as_str)
    }

    /// Waits until the server has answered; returns its name.
    pub fn await_backend(&self, patience: Duration) -> anyhow::Result<&str> {
        until("the transfer's server should answer", patience, || self.backend())
    }

    /// Waits for the end; an error says what broke, or that it takes longer than `patience`.
    pub fn finish(self, patience: Duration) -> anyhow::Result<()> {
        let waited = until("", patience, || self.worker.is_finished().then_some(()));
        let (moved, size) = (self.moved_bytes(), self.options.size_bytes);
        let patient = self.worker.finish().with_context(|| format!("the transfer broke after {moved} of {size} bytes"));
        if waited.is_err() && patient.is_err() {
            bail!("the transfer is not done after {patience:?}: {moved} of {size} bytes");
        }
        patient
    }
}

async fn run(target: SocketAddr, options: TransferOptions, progress: &Progress) -> anyhow::Result<()> {
    let TransferOptions { direction, size_bytes, rate_bytes_per_second } = options;
    let mut socket = TcpStream::connect(target).await.context("cannot connect")?;
    socket.write_u8((direction == Direction::Upload).into()).await?;
    socket.write_u64(size_bytes).await?;
    socket.write_u64(rate_bytes_per_second.unwrap_or(0)).await?;
    let mut name = vec![0; socket.read_u8().await.context("the server does not answer")?.into()];
    socket.read_exact(&mut name).await?;
    progress.backend.get_or_init(|| String::from_utf8_lossy(&name).into_owned());
    let verdict = match direction {
        Direction::Download => receive(&mut socket, size_bytes, &progress.moved_bytes).await?,
        Direction::Upload => {
            send(&mut socket, size_bytes, rate_bytes_per_second, &progress.moved_bytes).await?;
            socket.read_u64().await.context("the server does not say what it received")?
        }
    };
    if verdict != RIGHT {
        bail!("the byte at position {verdict} is wrong");
    }
    Ok(())
}

/// Sends bytes of the stream, evenly over time if a rate is given.
pub(super) async fn send(
    socket: &mut TcpStream,
    size_bytes: u64,
    rate_bytes_per_second: Option<u64>,
    moved_bytes: &AtomicU64,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut stream = Stream::new(0);
    // Ten chunks a second at least, so that a slow transfer is a steady one.
    let chunk = rate_bytes_per_second.map_or(CHUNK_BYTES, |rate| (rate / 10).clamp(1, CHUNK_BYTES));
    let mut buffer = vec![0; chunk as usize];
    while stream.position() < size_bytes {
        let count = chunk.min(size_bytes - stream.position()) as usize;
        stream.fill(&mut buffer[..count]);
        socket.write_all(&buffer[..count]).await?;
        moved_bytes.store(stream.position(), Ordering::Relaxed);
        if let Some(rate) = rate_bytes_per_second {
            let due = Duration::from_secs_f64(stream.position() as f64 / rate as f64);
            sleep(due.saturating_sub(start.elapsed())).await;
        }
    }
    Ok(())
}

/// Receives bytes and compares them with the stream; returns [`RIGHT`] or the position of the first wrong one.
pub(super) async fn receive(socket: &mut TcpStream, size_bytes: u64, moved_bytes: &AtomicU64) -> anyhow::Result<u64> {
    let mut stream = Stream::new(0);
    let mut buffer = vec![0; CHUNK_BYTES as usize];
    while stream.position() < size_bytes {
        let wanted = CHUNK_BYTES.min(size_bytes - stream.position()) as usize;
        let count = socket.read(&mut buffer[..wanted]).await?;
        if count == 0 {
            bail!("the connection was closed early");
        }
        if let Err(position) = stream.compare(&buffer[..count]) {
            return Ok(position);
        }
        moved_bytes.store(stream.position(), Ordering::Relaxed);
    }
    Ok(RIGHT)
}
