//! The task that keeps the next hops fresh.
//!
//! Hints are gathered for a few milliseconds, then what they point at is read again. While readings are long (many
//! destinations, or routers that change thousands of routes a second), so are the pauses between them: reading takes
//! at most a fifth of the time.

use std::{collections::BTreeSet, mem, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    Interfaces, NextHops, RoutesError,
    kernel::Kernel,
    message::Hint,
    table::{Neighbour, Resolved, Table},
};

/// How long hints are gathered at least.
const GATHER: Duration = Duration::from_millis(5);
/// The pause after a reading, as a multiple of the time that it took.
const PAUSE_FACTOR: u32 = 4;
/// How often the kernel is asked to look for neighbours that are unknown.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// How often everything is read again and stale neighbours are confirmed. A discovered path MTU, and its end, come
/// without a notification; and a neighbour that only XDP sends to is used by nobody in the kernel's eyes, so that
/// without us it would stay stale for ever, or be forgotten after 60 s (`gc_stale_time`).
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// The pause before a broken connection is made anew.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Where the result of a command goes.
type Reply<T> = oneshot::Sender<Result<T, RoutesError>>;

/// What the task can be told to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Follow these destinations instead.
    SetDestinations(BTreeSet<IpAddr>, Reply<Arc<NextHops>>),
    /// Look for a neighbour.
    WantNeighbour(Neighbour, Reply<()>),
}

/// What hints have pointed at since the last reading.
#[derive(Debug, Default)]
struct Hinted {
    everything: bool,
    neighbours: BTreeSet<Neighbour>,
}

/// The task's state.
pub(super) struct Follower {
    table: Table,
    hinted: Hinted,
    /// When the hints are to be followed.
    read_at: Option<Instant>,
    /// How long hints are gathered now.
    pause: Duration,
    /// Neighbours that were looked for since the last round; they are not looked for again before the next.
    asked: BTreeSet<Neighbour>,
    publish_hops: watch::Sender<Arc<NextHops>>,
    publish_interfaces: watch::Sender<Arc<Interfaces>>,
}

impl Follower {
    /// A follower that publishes changes of the next hops and of the interfaces.
    pub(super) fn new(
        publish_hops: watch::Sender<Arc<NextHops>>,
        publish_interfaces: watch::Sender<Arc<Interfaces>>,
    ) -> Self {
        Self {
            table: Table::default(),
            hinted: Hinted::default(),
            read_at: None,
            pause: GATHER,
            asked: BTreeSet::new(),
            publish_hops,
            publish_interfaces,
        }
    }

    /// Works until the last sender of commands is gone.
    pub(super) async fn run(mut self, mut kernel: Kernel, mut commands: mpsc::Receiver<Command>) {
        while let Err(error) = self.follow(&mut kernel, &mut commands).await {
            tracing::error!("following routes and neighbours was interrupted: {error}");
            kernel = reconnect().await;
        }
    }

    /// Works until the connection breaks, or until the last sender of commands is gone.
    async fn follow(&mut self, kernel: &mut Kernel, commands: &mut mpsc::Receiver<Command>) -> Result<(), RoutesError> {
        let [mut ask, mut refresh] = [ASK_INTERVAL, REFRESH_INTERVAL].map(|period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        loop {
            let read_at = self.read_at;
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.perform(kernel, command).await?,
                    None => return Ok(()),
                },
                hint = kernel.hint() => self.note(hint?),
                () = sleep_until(read_at.unwrap_or_else(Instant::now)), if read_at.is_some() => {
                    self.read_hinted(kernel).await?;
                }
                _ = ask.tick() => self.ask_again(kernel).await?,
                // Its first tick is at once: a new connection begins with a complete reading.
                _ = refresh.tick() => self.refresh(kernel).await?,
            }
        }
    }

    async fn perform(&mut self, kernel: &mut Kernel, command: Command) -> Result<(), RoutesError> {
        // Whoever asked may have gone away, and then nobody wants the answer.
        match command {
            Command::SetDestinations(destinations, reply) => {
                self.table.routes = destinations.into_iter().map(|destination| (destination, None)).collect();
                if let Err(error) = self.read_everything(kernel).await {
                    let _ = reply.send(Err(error));
                    return Err(RoutesError::Broken);
                }
                let _ = reply.send(Ok(self.publish()));
                self.seek_unknown(kernel).await
            }
            Command::WantNeighbour(neighbour, reply) => {
                let answer = if self.asked.insert(neighbour) { seek(kernel, neighbour).await } else { Ok(()) };
                let broken = answer.as_ref().is_err_and(RoutesError::is_fatal);
                let _ = reply.send(answer);
                if broken { Err(RoutesError::Broken) } else { Ok(()) }
            }
        }
    }

    fn note(&mut self, hint: Hint) {
        match hint {
            Hint::Everything => self.hinted.everything = true,
            Hint::Neighbour(neighbour) if self.table.neighbours.contains_key(&neighbour) => {
                self.hinted.neighbours.insert(neighbour);
            }
            Hint::Neighbour(_) => return,
        }
        self.read_at.get_or_insert_with(|| Instant::now() + self.pause);
    }

    async fn read_hinted(&mut self, kernel: &mut Kernel) -> Result<(), RoutesError> {
        let start = Instant::now();
        self.read_at = None;
        let hinted = mem::take(&mut self.hinted);
        if hinted.everything {
            self.read_everything(kernel).await?;
        } else {
            for neighbour in hinted.neighbours {
                let resolved = kernel.neighbour(neighbour).await?;
                self.table.neighbours.insert(neighbour, resolved);
            }
        }
        self.pause = GATHER.max(start.elapsed() * PAUSE_FACTOR);
        self.publish();
        self.seek_unknown(kernel).await
    }

    async fn read_everything(&mut self, kernel: &mut Kernel) -> Result<(), RoutesError> {
        self.table.interfaces = kernel.interfaces().await?;
        for (&destination, route) in &mut self.table.routes {
            *route = kernel.route(destination).await?;
        }
        self.table.neighbours.clear();
        for neighbour in self.table.hops() {
            let resolved = kernel.neighbour(neighbour).await?;
            self.table.neighbours.insert(neighbour, resolved);
        }
        Ok(())
    }

    fn publish(&self) -> Arc<NextHops> {
        replace(&self.publish_interfaces, &self.table.interfaces);
        let next_hops = self.table.next_hops();
        replace(&self.publish_hops, &next_hops);
        Arc::new(next_hops)
    }

    /// Begins a new round of looking for what is unknown.
    async fn ask_again(&mut self, kernel: &mut Kernel) -> Result<(), RoutesError> {
        self.asked.clear();
        self.seek_unknown(kernel).await
    }

    async fn refresh(&mut self, kernel: &mut Kernel) -> Result<(), RoutesError> {
        self.read_everything(kernel).await?;
        self.publish();
        for neighbour in self.table.stale() {
            seek_quietly(kernel, neighbour).await?;
        }
        Ok(())
    }

    async fn seek_unknown(&mut self, kernel: &mut Kernel) -> Result<(), RoutesError> {
        for neighbour in self.table.unknown() {
            if self.asked.insert(neighbour) {
                seek_quietly(kernel, neighbour).await?;
                // An interface without ARP knows its neighbours at once, and no notification says so.
                self.note(Hint::Neighbour(neighbour));
            }
        }
        Ok(())
    }
}

/// Publishes a value if it is another one than before.
fn replace<T: Clone + PartialEq>(published: &watch::Sender<Arc<T>>, value: &T) {
    published.send_if_modified(|published| {
        let changed = **published != *value;
        if changed {
            *published = Arc::new(value.clone());
        }
        changed
    });
}

/// Has the kernel look for a neighbour, unless it is sure of it.
async fn seek(kernel: &mut Kernel, neighbour: Neighbour) -> Result<(), RoutesError> {
    match kernel.neighbour(neighbour).await? {
        Some(Resolved { stale: false, .. }) => Ok(()),
        _ => kernel.ask(neighbour).await,
    }
}

/// The same where a refusal is nothing new: the interface may have gone a moment ago.
async fn seek_quietly(kernel: &mut Kernel, neighbour: Neighbour) -> Result<(), RoutesError> {
    match seek(kernel, neighbour).await {
        Err(error) if !error.is_fatal() => {
            tracing::debug!("{} on interface {}: {error}", neighbour.address, neighbour.ifindex);
            Ok(())
        }
        outcome => outcome,
    }
}

async fn reconnect() -> Kernel {
    loop {
        sleep(RECONNECT_PAUSE).await;
        match Kernel::follow() {
            Ok(kernel) => return kernel,
            Err(error) => tracing::error!("{error}; trying again in {RECONNECT_PAUSE:?}"),
        }
    }
}
