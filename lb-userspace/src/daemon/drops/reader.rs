//! From the ring buffer to the daemon.

use std::time::Duration;

use lb_common::DropSample;
use tokio::{sync::mpsc, time::sleep};

use crate::{daemon::records::Reader, dataplane::Records};

/// How often records are fetched: together they cost the daemon less.
const PAUSE: Duration = Duration::from_millis(50);

/// Hands on what the datapath records, until the ring buffer cannot be read any more or nobody wants it.
pub(in crate::daemon) async fn follow(ring: Records, daemon: mpsc::Sender<Vec<DropSample>>) {
    if let Err(error) = read(ring, &daemon).await {
        tracing::error!(%error, "cannot read the datapath's records of drops; `sluice drops --follow` shows nothing");
    }
}

async fn read(ring: Records, daemon: &mpsc::Sender<Vec<DropSample>>) -> std::io::Result<()> {
    let mut samples = Reader::new(ring)?;
    loop {
        // A daemon that is busy lets them wait in the ring buffer.
        if daemon.send(samples.some().await?).await.is_err() {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}
