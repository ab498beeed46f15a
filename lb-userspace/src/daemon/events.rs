//! What the datapath asks of the daemon.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use lb_common::{Event, EventKind};
use tokio::{sync::mpsc, time::Instant};

use super::{limits::Excess, records::Reader};
use crate::{dataplane::Records, routes::Routes};

/// One neighbour is asked for at most this often: a flood of replies asks for the same one again and again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Performs what the datapath asks for, until the ring buffer cannot be read any more.
pub(super) async fn follow(ring: Records, routes: Arc<Routes>, exceeded: mpsc::Sender<Excess>) {
    if let Err(error) = read(ring, &routes, &exceeded).await {
        tracing::error!(%error, "cannot read the datapath's records; neighbours of `nat` clients are no longer asked for");
    }
}

async fn read(ring: Records, routes: &Routes, exceeded: &mpsc::Sender<Excess>) -> std::io::Result<()> {
    let mut events = Reader::<Event>::new(ring)?;
    let mut asked = BTreeMap::new();
    loop {
        for event in events.some().await? {
            if event.kind == EventKind::NeighbourWanted as u32 {
                ask(routes, &mut asked, event.ifindex, event.address.into()).await;
            } else if event.kind == EventKind::LimitExceeded as u32 {
                // Where no more can wait, the source's next packet says it again.
                let _ = exceeded.try_send(Excess { limit: event.ifindex, source: event.address.into() });
            }
        }
    }
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
