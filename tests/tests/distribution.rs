//! Ten thousand flows over three equal backends: each gets a third, within 3 %.
//!
//! Secret, addresses and ports are fixed, so every run sees the same shares; three kinds of flows are three samples.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
};

use lb_userspace::api::types::{BackendStatus, ServiceStatus};
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt},
};
use tests::lab::{Family, Site, Sluice, node_section, service_section, until};

const FLOWS: u16 = 10_000;
/// From here on clients choose theirs; no amplifier has one of these.
const FIRST_PORT: u16 = 32_768;
/// Fewer than a veth's ring has room for: what does not fit is lost without a trace.
const BURST: u16 = 100;
/// What one backend's third may miss.
const TOLERANCE: f64 = 0.03;

/// Sends the first packet of each flow and counts where they went.
fn spread(family: Family, protocol: &str, open: fn(u16, SocketAddr) -> io::Result<()>) -> anyhow::Result<()> {
    let site = Site::new(3)?;
    let target = SocketAddr::from((family.service(), 7));
    // So many SYNs without an answer look like a flood.
    let settings = format!(
        "address = \"{}\"\nport = 7\nprotocol = \"{protocol}\"\ndelivery = \"l2\"\nring = {{ tolerance = 0.005 }}\n{}",
        target.ip(),
        if protocol == "tcp" { "syn_protection = \"off\"" } else { "" }
    );
    let configuration = node_section(&["eth0"]) + &service_section("sink", &settings, &site.backends(family));
    let sluice = Sluice::start(&site.node, &configuration)?;
    sluice.await_ready()?;

    for sent in (0..FLOWS).step_by(BURST.into()) {
        let ports = FIRST_PORT + sent..FIRST_PORT + sent + BURST;
        site.client.enter(|| ports.into_iter().try_for_each(|port| open(port, target)))??;
        until("every packet sent should be counted", Duration::from_secs(5), || {
            let service: ServiceStatus = sluice.json(&["services", "sink"]).ok()?;
            (service.traffic.packets == u64::from(sent + BURST)).then_some(())
        })?;
    }

    let service: ServiceStatus = sluice.json(&["services", "sink"])?;
    let opened = if protocol == "tcp" { FLOWS } else { 0 };
    assert_eq!(service.traffic.flows, u64::from(opened));
    let [total, flows] = [
        service.backends.iter().map(|backend| backend.traffic.packets).sum::<u64>(),
        service.backends.iter().map(|backend| backend.traffic.flows).sum(),
    ];
    assert_eq!([total, flows], [FLOWS, opened].map(u64::from));
    println!("{protocol} over {family:?}: {:?}", service.backends.iter().map(share).collect::<Vec<_>>());
    for backend in &service.backends {
        let excess = share(backend) * 3.0 - 1.0;
        assert!(excess.abs() <= TOLERANCE, "{} is {:+.2} % from its third", backend.name, excess * 100.0);
    }
    Ok(())
}

/// A backend's part of the packets.
fn share(backend: &BackendStatus) -> f64 {
    backend.traffic.packets as f64 / f64::from(FLOWS)
}

fn any(target: SocketAddr, port: u16) -> SocketAddr {
    let address = if target.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    (address, port).into()
}

/// One datagram.
fn datagram(port: u16, target: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(any(target, port))?.send_to(b"one", target).map(drop)
}

/// One SYN: the socket is closed before it could send another.
fn syn(port: u16, target: SocketAddr) -> io::Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(any(target, port)))?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(target)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[test]
fn datagrams_over_ipv4() -> anyhow::Result<()> {
    spread(Family::V4, "udp", datagram)
}

#[test]
fn datagrams_over_ipv6() -> anyhow::Result<()> {
    spread(Family::V6, "udp", datagram)
}

#[test]
fn connections_over_ipv4() -> anyhow::Result<()> {
    spread(Family::V4, "tcp", syn)
}
