//! A flood of SYNs from made-up addresses: so many a second, and no longer than it was told to last.

use std::{
    fs::File,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    os::fd::{FromRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use nix::net::if_::if_nametoindex;

use crate::{fuzz::Random, lab::Namespace, packet::Packet};

/// How often packets are sent; as many as belong to the time that has passed.
const EVERY: Duration = Duration::from_millis(2);

/// What is sent, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct FloodOptions {
    /// What is flooded.
    pub target: SocketAddr,
    /// The MAC address of whoever forwards to it.
    pub gateway: [u8; 6],
    /// SYNs a second.
    pub rate_per_second: u32,
    /// After this time it ends by itself.
    pub longest: Duration,
}

/// A flood under way. Dropping it ends it.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    sender: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Flood {
    /// The prefixes that the sources are made up in: a network for shared use and one for documentation.
    pub const SOURCES: [&str; 2] = ["100.64.0.0/10", "2001:db8:f000::/36"];

    /// Starts it from a host, out of its `eth0`.
    pub fn start(host: &Namespace, options: FloodOptions) -> anyhow::Result<Self> {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let socket = host.enter(|| raw_socket("eth0"))?.context("cannot open a packet socket")?;
        let (asked, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let sender = thread::spawn(move || send(socket, options, &asked, &count));
        Ok(Self { stop, sent, sender: Some(sender) })
    }

    /// How many SYNs have left so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Ends it; returns how many SYNs were sent.
    pub fn stop(mut self) -> anyhow::Result<u64> {
        self.stop.store(true, Relaxed);
        let sender = self.sender.take().context("it was ended already")?;
        sender.join().map_err(|_| anyhow!("the flood's thread died"))??;
        ensure!(self.sent() > 0, "nothing was sent");
        Ok(self.sent())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(Err(error)) = self.sender.take().and_then(|sender| sender.join().ok()) {
            eprintln!("the flood failed: {error:#}");
        }
    }
}

fn send(mut socket: File, options: FloodOptions, stop: &AtomicBool, sent: &AtomicU64) -> anyhow::Result<()> {
    let mut random = Random::new(0x5eed);
    let (start, mut tried) = (Instant::now(), 0);
    while !stop.load(Relaxed) && start.elapsed() < options.longest {
        let due = (start.elapsed().as_secs_f64() * f64::from(options.rate_per_second)) as u64;
        // Whoever was held up does not catch up in a burst.
        let behind = (due - tried).min(u64::from(options.rate_per_second / 20));
        for _ in 0..behind {
            match socket.write(&syn(options, &mut random)) {
                Ok(_) => drop(sent.fetch_add(1, Relaxed)),
                // The interface's queue is full: this one is lost, as on a card.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        tried = due;
        thread::sleep(EVERY);
    }
    Ok(())
}

/// A SYN of a source, a port and a number that nobody has chosen.
fn syn(options: FloodOptions, random: &mut Random) -> Vec<u8> {
    let bits = random.bits();
    let source = match options.target.ip() {
        IpAddr::V4(_) => IpAddr::from((0x6440_0000 | bits as u32 & 0x003f_ffff).to_be_bytes()),
        IpAddr::V6(_) => {
            let network = 0x2001_0db8_f000_0000 | bits & 0xfff_ffff;
            IpAddr::from((u128::from(network) << 64 | u128::from(random.bits())).to_be_bytes())
        }
    };
    let port = 1024 + (bits >> 32) as u16 % 60_000;
    let packet = Packet::new(source, options.target.ip()).link([2, 0, 0, 0, 0xf1, 0x0d], options.gateway);
    packet.tcp(port, options.target.port()).syn().sequence(random.bits() as u32).bytes()
}

/// A socket that sends frames out of an interface, and receives none.
fn raw_socket(interface: &str) -> io::Result<File> {
    let ifindex = if_nametoindex(interface)?;
    // SAFETY: the call has no preconditions, and its result is checked before it is used.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened, and belongs to nobody else.
    let socket = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    // SAFETY: the structure is plain integers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = ifindex as i32;
    // SAFETY: the address is one of a packet socket, of the length that is given.
    let bound = unsafe {
        libc::bind(descriptor, (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as libc::socklen_t)
    };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}
