//! The world's sockets, opened in its network.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use lb_ebpf::wire::protocol;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket,
    sockopt::{ReuseAddr, TcpRepair},
};

use crate::world::{NodeSocket, SOCKETS, end};

/// Opens all of them in the network that the thread is in.
///
/// # Errors
///
/// The kernel refuses one.
pub(super) fn open_all() -> Result<Vec<OwnedFd>> {
    SOCKETS.iter().map(|socket| open(socket).with_context(|| format!("{socket:?}"))).collect()
}

fn open(wanted: &NodeSocket) -> Result<OwnedFd> {
    let (local, remote) = (end(wanted.local), wanted.remote.map(end));
    if wanted.protocol == protocol::UDP {
        let socket = UdpSocket::bind(local)?;
        remote.map(|remote| socket.connect(remote)).transpose()?;
        return Ok(socket.into());
    }
    match remote {
        None => Ok(TcpListener::bind(local)?.into()),
        Some(remote) => connection(local, remote),
    }
}

/// A connection that nobody has answered for: what is being repaired is established at once, and silent.
fn connection(local: SocketAddr, remote: SocketAddr) -> Result<OwnedFd> {
    let family = if local.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    setsockopt(&socket, TcpRepair, &1)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(local))?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(remote))?;
    Ok(socket)
}
