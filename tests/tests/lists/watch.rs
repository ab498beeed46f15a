//! Datagrams from many sources, all the time: those of listed ones must not be answered, all others must.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tests::lab::{Family, Namespace};

use super::edge::{LISTED, UNLISTED};

pub(crate) const PORT: u16 = 53;

/// An answer takes some microseconds, but the machine may be busy with something else.
const LOST: Duration = Duration::from_secs(2);

/// How often a source asks that waits for its first answer.
const PAUSE: Duration = Duration::from_millis(5);

/// The service of a family.
pub(crate) fn service(family: Family) -> SocketAddr {
    (family.service(), PORT).into()
}

fn socket(client: &Namespace, source: IpAddr) -> anyhow::Result<UdpSocket> {
    let family = if source.is_ipv4() { Family::V4 } else { Family::V6 };
    let connected = client.enter(|| {
        let socket = UdpSocket::bind((source, 0))?;
        socket.connect(service(family))?;
        std::io::Result::Ok(socket)
    })?;
    connected.with_context(|| format!("cannot send from {source}"))
}

/// What was sent and answered, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    sent: u64,
    wrong: Vec<String>,
}

/// Two threads that send: one from the listed sources, one from the others.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    threads: [JoinHandle<Seen>; 2],
}

impl Watch {
    pub(crate) fn start(client: &Namespace) -> anyhow::Result<Self> {
        let open = |source: &str| -> anyhow::Result<(String, UdpSocket)> {
            Ok((source.to_owned(), socket(client, source.parse()?)?))
        };
        let listed = LISTED.iter().map(|(source, _)| open(source)).collect::<anyhow::Result<Vec<_>>>()?;
        let unlisted = UNLISTED.iter().map(|source| open(source)).collect::<anyhow::Result<Vec<_>>>()?;
        for (_, socket) in &listed {
            socket.set_nonblocking(true)?;
        }
        for (_, socket) in &unlisted {
            socket.set_read_timeout(Some(LOST))?;
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let start = |sockets: Vec<(String, UdpSocket)>, round: fn(&[(String, UdpSocket)], &mut Seen)| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let mut seen = Seen::default();
                while !is_over.load(Ordering::Relaxed) {
                    round(&sockets, &mut seen);
                }
                seen
            })
        };
        let threads = [start(listed, never_answered), start(unlisted, always_answered)];
        Ok(Self { is_over, threads })
    }

    /// Stops, and checks that all was right.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let seen = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            println!("{} datagrams sent", seen.sent);
            anyhow::ensure!(seen.sent > 1000, "only {} datagrams were sent", seen.sent);
            anyhow::ensure!(seen.wrong.is_empty(), "{} times, first: {}", seen.wrong.len(), seen.wrong[0]);
        }
        Ok(())
    }
}

fn never_answered(sockets: &[(String, UdpSocket)], seen: &mut Seen) {
    for (source, socket) in sockets {
        seen.sent += u64::from(socket.send(&[0; 32]).is_ok());
        if socket.recv(&mut [0; 64]).is_ok() {
            seen.wrong.push(format!("a datagram of {source}, which is listed, has passed"));
        }
    }
    // The other thread waits for answers, which need a processor, too.
    thread::sleep(Duration::from_micros(50));
}

fn always_answered(sockets: &[(String, UdpSocket)], seen: &mut Seen) {
    for (source, socket) in sockets {
        seen.sent += u64::from(socket.send(&[0; 32]).is_ok());
        if let Err(error) = socket.recv(&mut [0; 64]) {
            seen.wrong.push(format!("a datagram of {source}, which is not listed, was dropped ({error})"));
        }
    }
}

/// Asks from a source until there is an answer; how long that took.
pub(crate) fn await_answer(client: &Namespace, source: IpAddr, patience: Duration) -> anyhow::Result<Duration> {
    let socket = socket(client, source)?;
    socket.set_read_timeout(Some(PAUSE))?;
    let began = Instant::now();
    while began.elapsed() < patience {
        socket.send(&[0; 32])?;
        match socket.recv(&mut [0; 64]) {
            Ok(_) => return Ok(began.elapsed()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{source} was not answered for {patience:?}")
}
