//! Records from the datapath.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use aya::maps::{MapData, RingBuf};
use lb_common::{Event, EventKind};
use tokio::{io::unix::AsyncFd, sync::mpsc, time::Instant};
use zerocopy::FromBytes;

use super::limits::Excess;
use crate::routes::Routes;

/// One neighbour is asked for at most this often: a flood of replies asks for the same one again and again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Performs what the datapath asks for, until the ring buffer cannot be read any more.
pub(super) async fn follow(ring: RingBuf<MapData>, routes: Arc<Routes>, exceeded: mpsc::Sender<Excess>) {
    if let Err(error) = read(ring, &routes, &exceeded).await {
        tracing::error!(%error, "cannot read the datapath's records; neighbours of `nat` clients are no longer asked for");
    }
}

async fn read(ring: RingBuf<MapData>, routes: &Routes, exceeded: &mpsc::Sender<Excess>) -> std::io::Result<()> {
    #[expect(deprecated, reason = "its successor is unsafe, and a map owns its descriptor until it is dropped")]
    let mut ring = AsyncFd::new(ring)?;
    let mut asked = BTreeMap::new();
    loop {
        ring.readable().await?.clear_ready();
        while let Some(event) = next(ring.get_mut()) {
            if event.kind == EventKind::NeighbourWanted as u32 {
                ask(routes, &mut asked, event.ifindex, event.address.into()).await;
            } else if event.kind == EventKind::LimitExceeded as u32 {
                // Where no more can wait, the source's next packet says it again.
                let _ = exceeded.try_send(Excess { limit: event.ifindex, source: event.address.into() });
            }
        }
    }
}

fn next(ring: &mut RingBuf<MapData>) -> Option<Event> {
    let item = ring.next()?;
    Event::read_from_prefix(&item).ok().map(|(event, _)| event)
}

async fn ask(routes: &Routes, asked: &mut BTreeMap<(u32, IpAddr), Instant>, ifindex: u32, address: IpAddr) {
    let now = Instant::now();
    asked.retain(|_, time| now.duration_since(*time) < ASK_EVERY);
    if asked.insert((ifindex, address), now).is_some() {
        return;
    }
    if let Err(error) = routes.want_neighbour(ifindex, address).await {
        tracing::warn!(%address, %error, "could not ask for a neighbour's MAC address");
    }
}
