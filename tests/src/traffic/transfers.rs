//! Many slow connections at once, which meet every server.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;

use super::{Direction, Transfer, TransferOptions};
use crate::lab::{Namespace, until};

const PATIENCE: Duration = Duration::from_secs(30);
const RATE_BYTES_PER_SECOND: u64 = 100_000;

/// So many connections that each of two or three servers has some: the rows of a ring are as good as random, and of ten
/// million rounds less than two leave out one of three servers.
pub const MANY: usize = 40;

/// Transfers of 100 kB/s, every second of them an upload, all under way and their servers known.
///
/// # Errors
///
/// One of them does not begin.
pub fn transfers(
    client: &Namespace,
    target: SocketAddr,
    count: usize,
    size_bytes: u64,
) -> anyhow::Result<Vec<Transfer>> {
    let start = |number: usize| {
        let direction = if number.is_multiple_of(2) { Direction::Download } else { Direction::Upload };
        let options = TransferOptions { direction, size_bytes, rate_bytes_per_second: Some(RATE_BYTES_PER_SECOND) };
        Transfer::start(client, target, options)
    };
    let transfers = (0..count).map(start).collect::<anyhow::Result<Vec<_>>>()?;
    for transfer in &transfers {
        transfer.await_backend(PATIENCE)?;
        until("a transfer should be under way", PATIENCE, || (transfer.moved_bytes() > 0).then_some(()))?;
    }
    Ok(transfers)
}

/// One server's transfers, and the others.
///
/// # Errors
///
/// Either of the two has none.
pub fn by_server(transfers: Vec<Transfer>, server: &str) -> anyhow::Result<(Vec<Transfer>, Vec<Transfer>)> {
    let (its, others): (Vec<_>, Vec<_>) =
        transfers.into_iter().partition(|transfer| transfer.backend() == Some(server));
    ensure!(!its.is_empty() && !others.is_empty(), "{} transfers of {server}, {} of others", its.len(), others.len());
    Ok((its, others))
}
