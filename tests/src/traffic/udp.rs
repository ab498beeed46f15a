//! Datagrams: a server that echoes them with its name, and a client that sends one for each of many flows.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::net::UdpSocket;

use super::{Failure, Report, Stream, worker::Worker};
use crate::lab::Namespace;

/// The largest datagram there is.
const MAX_BYTES: usize = 65_535;

/// An echo server in a namespace.
#[derive(Debug)]
pub struct UdpEcho {
    _worker: Worker<()>,
}

impl UdpEcho {
    /// Starts a server; it listens when this returns. Name the service's own address where replies must come from it:
    /// with an unspecified one the kernel picks the source by its routes.
    pub fn start(namespace: &Namespace, name: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = namespace
            .enter(|| StdSocket::bind(address))?
            .with_context(|| format!("the echo server {name} cannot listen on {address}"))?;
        socket.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        let name = name.to_owned();
        let worker = Worker::start(namespace, move |mut stop| async move {
            tokio::select! {
                done = echo(socket, &name) => done,
                () = stop.asked() => Ok(()),
            }
        })?;
        Ok(Self { _worker: worker })
    }
}

/// Answers with the length of the name, the name, and what was received.
async fn echo(socket: StdSocket, name: &str) -> anyhow::Result<()> {
    let socket = UdpSocket::from_std(socket)?;
    let mut answer = vec![u8::try_from(name.len()).context("the server's name is too long")?];
    answer.extend_from_slice(name.as_bytes());
    let head = answer.len();
    answer.resize(head + MAX_BYTES, 0);
    loop {
        // Errors are those of earlier answers (a client that is gone) and end nothing.
        if let Ok((count, client)) = socket.recv_from(&mut answer[head..]).await {
            let _ = socket.send_to(&answer[..head + count], client).await;
        }
    }
}

/// How many datagrams, and of which size.
#[derive(Clone, Copy, Debug)]
pub struct UdpOptions {
    /// Flows: each is a socket of its own that sends one datagram.
    pub flows: u32,
    /// Bytes of payload.
    pub payload_bytes: usize,
    /// After this time without an answer a datagram counts as lost.
    pub timeout: Duration,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self { flows: 100, payload_bytes: 32, timeout: Duration::from_millis(500) }
    }
}

/// Sends a datagram for each flow, one after the other, and says who answered.
pub fn ask_udp(namespace: &Namespace, target: SocketAddr, options: UdpOptions) -> anyhow::Result<Report> {
    namespace.enter(|| {
        let mut report = Report::default();
        for flow in 0..options.flows {
            let start = Instant::now();
            let outcome = ask_once(target, options, flow).map_err(|error| match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::AnswerTimeout,
                ErrorKind::InvalidData => Failure::Wrong,
                _ => Failure::from(&error),
            });
            report.connections += 1;
            report.count(outcome, start.elapsed());
        }
        report
    })
}

fn ask_once(target: SocketAddr, options: UdpOptions, flow: u32) -> io::Result<String> {
    let any: SocketAddr =
        if target.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = StdSocket::bind(any)?;
    socket.set_read_timeout(Some(options.timeout))?;
    socket.connect(target)?;
    let mut sent = vec![0; options.payload_bytes];
    Stream::new(flow.into()).fill(&mut sent);
    socket.send(&sent)?;
    let mut received = vec![0; MAX_BYTES];
    let count = socket.recv(&mut received)?;
    let wrong = || io::Error::from(ErrorKind::InvalidData);
    let (length, rest) = received[..count].split_first().ok_or_else(wrong)?;
    let (name, payload) = rest.split_at_checked((*length).into()).ok_or_else(wrong)?;
    if payload != sent {
        return Err(wrong());
    }
    Ok(String::from_utf8_lossy(name).into_owned())
}
