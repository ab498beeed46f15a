//! Everything that can change, and the loop that changes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_common::{BackendFlags, DropSample, HashKey, PortSpan, Row};
use tokio::{
    signal::unix::Signal,
    sync::{mpsc, watch},
    time::{MissedTickBehavior, timeout},
};

use super::{
    DaemonError, Keeps, Options,
    bans::Crowds,
    census, clock,
    drains::Drains,
    drops, events,
    floods::Floods,
    history, interfaces,
    limits::Excess,
    listed::Listed,
    liveness::Liveness,
    local_ports,
    request::{Asked, Request},
    secret,
    trial::Trial,
};
use crate::{
    api::Operator,
    config::Document,
    crowdsec::{Bouncer, Told},
    dataplane::{self, Kernel},
    feeds::{Feeds, Fetched},
    health::{Checker, Report},
    lists::Lists,
    model::{Backend, Model, Moment, Service},
    plan::{self, Census, Desired, Inputs, Patience, Planner, Snapshot},
    ring,
    routes::{Interfaces, NextHops, Routes, RoutesError, receivers},
};

/// How often the flow table is scanned while rows are unsettled.
const TICK: Duration = Duration::from_secs(1);

/// How many sources over a limit may wait to be looked at: more are a flood, of which the next will do as well.
const EXCESSES: usize = 1024;

/// How long a take-over waits for ways that the former daemon knew.
const REDISCOVERY: Duration = Duration::from_secs(1);

/// How many fetches of recorded drops may wait for the daemon; the others wait in their ring buffer.
const SAMPLE_QUEUE: usize = 16;

/// The daemon's state.
pub(super) struct State {
    pub(super) started: Instant,
    pub(super) config: PathBuf,
    /// The running configuration.
    pub(super) document: Document,
    pub(super) model: Model,
    /// The file as it was last read or written: the running configuration without ephemeral changes.
    pub(super) saved: Document,
    pub(super) kernel: Kernel,
    /// What the kernel's tables hold.
    pub(super) snapshot: Snapshot,
    /// What is on the firewall's lists besides what the configuration names.
    pub(super) listed: Listed,
    /// What should be on them.
    pub(super) lists: Arc<Lists>,
    /// Where services and backends stand in the tables.
    pub(super) places: Places,
    pub(super) liveness: Liveness,
    pub(super) next_hops: Arc<NextHops>,
    /// The addresses that the next hops are followed for.
    destinations: BTreeSet<IpAddr>,
    /// The interfaces that the program is attached to, by name.
    pub(super) interfaces: BTreeMap<String, u32>,
    pub(super) routes: Arc<Routes>,
    /// The ports that the kernel chose from when the configuration was taken.
    pub(super) ephemeral: PortSpan,
    pub(super) checker: Checker,
    /// What the last scan of the flow table found; empty when there was nothing to look for.
    pub(super) census: Census,
    pub(super) drains: Drains,
    /// What is known of drops, and who looks at them.
    pub(super) watch: drops::Watch,
    pub(super) floods: Floods,
    /// Whether the next tick has something to do whatever the rows look like: it is the first one, which finds what a
    /// former daemon left, or a backend was under suspicion at the last.
    pub(super) scan_due: bool,
    /// How many sources each limit has banned lately.
    pub(super) crowds: Crowds,
    /// Sources that were over a limit.
    pub(super) excesses: mpsc::Receiver<Excess>,
    pub(super) state_directory: PathBuf,
    generated_secret: [u64; 2],
    pub(super) planner: Planner,
    pub(super) feeds: Feeds,
    /// Over which connection the change is asked for that is being made, if it must not cut that one.
    pub(super) operator: Option<Operator>,
    /// If the configuration is on trial: what was before, and until when.
    pub(super) trial: Option<Trial>,
    fetched: mpsc::UnboundedReceiver<Fetched>,
    pub(super) bouncer: Bouncer,
    decided: mpsc::UnboundedReceiver<Told>,
    reports: mpsc::UnboundedReceiver<Report>,
    hops_changed: watch::Receiver<Arc<NextHops>>,
    /// All of the network's interfaces.
    links: watch::Receiver<Arc<Interfaces>>,
    samples: mpsc::Receiver<Vec<DropSample>>,
}

/// Where services and backends stand in the tables.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) service_ids: BTreeMap<String, u32>,
    pub(super) slots: BTreeMap<(String, String), u16>,
    /// The weights that the backends' shares follow from.
    pub(super) weights: BTreeMap<(String, String), u32>,
    /// For how long the services' silent flows are remembered.
    pub(super) keeps: Keeps,
}

impl State {
    /// Loads the program, takes over what a former daemon has left, and brings it to the model.
    pub(super) async fn start(
        options: Options,
        document: Document,
        model: Model,
        trial: Option<Trial>,
    ) -> Result<Self, DaemonError> {
        let generated_secret = secret::keep(&options.paths.state)
            .map_err(|source| DaemonError::State { path: options.paths.state.clone(), source })?;
        let wanted = interfaces::wanted(&model).await?;
        let mut kernel = Kernel::open(&options.paths.pins)?;
        let snapshot = kernel.snapshot()?;
        let floods =
            Floods::after(&snapshot, &model, clock::now_s(), secret::random_key).map_err(DaemonError::Random)?;
        let (routes, published) = Routes::start()?;
        let routes = Arc::new(routes);
        let (exceeded, excesses) = mpsc::channel(EXCESSES);
        if let Some(ring) = kernel.take_events() {
            tokio::spawn(events::follow(ring, Arc::clone(&routes), exceeded));
        }
        let (record, samples) = mpsc::channel(SAMPLE_QUEUE);
        if let Some(ring) = kernel.take_samples() {
            tokio::spawn(drops::follow(ring, record));
        }
        let (report, reports) = mpsc::unbounded_channel();
        let (fetch, fetched) = mpsc::unbounded_channel();
        let (tell, decided) = mpsc::unbounded_channel();
        let mut state = Self {
            started: Instant::now(),
            config: options.config,
            saved: document.clone(),
            document,
            model,
            kernel,
            snapshot,
            listed: Listed::open(&options.paths.state, Moment::now(), clock::now_s()),
            lists: Arc::default(),
            places: Places::default(),
            liveness: Liveness::default(),
            next_hops: Arc::default(),
            destinations: BTreeSet::new(),
            interfaces: BTreeMap::new(),
            routes,
            ephemeral: local_ports::now(),
            checker: Checker::new(report),
            census: Census::default(),
            drains: Drains::default(),
            watch: drops::Watch::default(),
            floods,
            scan_due: true,
            generated_secret,
            planner: Planner::after(history::read(&options.paths.state)),
            crowds: Crowds::default(),
            excesses,
            state_directory: options.paths.state,
            feeds: Feeds::new(fetch),
            operator: None,
            trial,
            fetched,
            bouncer: Bouncer::new(tell),
            decided,
            reports,
            hops_changed: published.next_hops,
            links: published.interfaces,
            samples,
        };
        state.take_over(wanted).await?;
        Ok(state)
    }

    /// Brings the kernel from what a former daemon left, if there was one, to the model.
    async fn take_over(&mut self, wanted: BTreeMap<String, u32>) -> Result<(), DaemonError> {
        let was_up = self.backends_that_were_up();
        self.liveness
            .follow(&self.model, |service, backend| was_up.contains(&(service.to_owned(), backend.to_owned())));
        self.follow_ways().await?;
        self.rediscover().await;
        self.interfaces = wanted;
        self.open_list_files();
        self.open_feeds();
        self.compose_lists()?;
        // Slots that the former daemon was waiting to reuse look free: no entry may name them when they are given away.
        census::take(&self.kernel, &self.snapshot, &self.places.keeps, clock::now_s())?;
        // The tables first: a new program must never see half of them.
        self.synchronise()?;
        interfaces::attach(&mut self.kernel, &self.interfaces, true).await?;
        interfaces::detach_others(&mut self.kernel, &self.interfaces).await?;
        self.kernel.remove_foreign_pins()?;
        self.set_targets();
        self.follow_feeds();
        Ok(())
    }

    /// Follows the ways to the model's backends, unless their addresses are those that are followed already: a change of
    /// weights need not ask the kernel for every way.
    pub(super) async fn follow_ways(&mut self) -> Result<(), RoutesError> {
        let wanted = destinations(&self.model);
        if wanted != self.destinations {
            // Should this fail, nothing is known of what is followed.
            self.destinations.clear();
            self.next_hops = self.routes.set_destinations(wanted.clone()).await?;
            self.destinations = wanted;
        }
        Ok(())
    }

    /// Waits until the ways that the former daemon knew are known again. The kernel forgets neighbours that nobody but
    /// XDP sends to, and the tables, which still have them, go on serving meanwhile.
    async fn rediscover(&mut self) {
        let resolved = self.snapshot.backends.values().filter(|value| value.flags & BackendFlags::RESOLVED != 0);
        let resolved: BTreeSet<IpAddr> = resolved.map(|value| value.address.into()).collect();
        let known = &resolved & &self.destinations;
        let found = self.hops_changed.wait_for(|hops| known.iter().all(|address| hops.contains_key(address)));
        // Those that are not found by then are gone.
        let _ = timeout(REDISCOVERY, found).await;
        self.next_hops = Arc::clone(&self.hops_changed.borrow_and_update());
    }

    /// The backends that the tables say may take traffic, by service and name.
    fn backends_that_were_up(&self) -> Vec<(String, String)> {
        let eligible: BTreeSet<(Option<u16>, u32)> = self
            .snapshot
            .backends
            .values()
            .filter(|value| value.flags & BackendFlags::ELIGIBLE != 0)
            .map(|value| (Some(value.service), value.identity))
            .collect();
        let present = plan::present(&self.model, &self.snapshot);
        let mut up = Vec::new();
        for service in &self.model.services {
            let id = present.get(service.name.as_str()).map(|value| value.id);
            for backend in &service.backends {
                if eligible.contains(&(id, ring::short_identity(&backend.name))) {
                    up.push((service.name.clone(), backend.name.clone()));
                }
            }
        }
        up
    }

    /// Serves requests and follows the world, until nobody can ask any more.
    pub(super) async fn run(&mut self, mut requests: mpsc::Receiver<Asked>, mut hangup: Signal) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(asked) => self.answer(asked).await,
                    None => return,
                },
                Some(report) = self.reports.recv() => self.note(report),
                Some(samples) = self.samples.recv() => self.note_samples(&samples),
                Some(fetched) = self.fetched.recv() => self.take_feed(fetched),
                Some(told) = self.decided.recv() => self.take_decisions(told),
                Ok(()) = self.hops_changed.changed() => {
                    self.next_hops = Arc::clone(&self.hops_changed.borrow_and_update());
                    self.follow_world();
                }
                Ok(()) = self.links.changed() => self.follow_world(),
                Some(excess) = self.excesses.recv() => self.note_excesses(excess),
                Some(()) = hangup.recv() => self.reload().await,
                _ = ticks.tick() => {
                    self.end_trial().await;
                    if let Err(error) = self.tick() {
                        tracing::error!("the flow table could not be scanned: {:#}", anyhow::Error::from(error));
                    }
                }
            }
        }
    }

    /// Answers a request. Whoever asked may have gone, which is no matter.
    pub(super) async fn answer(&mut self, (request, operator): Asked) {
        self.operator = operator;
        match request {
            Request::Status(reply) => drop(reply.send(self.status().await)),
            Request::Services(reply) => drop(reply.send(self.services())),
            Request::Drops(reply) => drop(reply.send(self.drops())),
            Request::FollowDrops(filter, reply) => drop(reply.send(self.follow_drops(&filter))),
            Request::Explain(query, reply) => drop(reply.send(self.explain(&query))),
            Request::TopDrops(by, count, reply) => drop(reply.send(self.top_drops(by, count))),
            Request::Rules(reply) => drop(reply.send(self.rules())),
            Request::Limits(reply) => drop(reply.send(self.limits())),
            Request::Lists(reply) => drop(reply.send(self.lists_told())),
            Request::List(name, reply) => drop(reply.send(self.list_told(&name))),
            Request::ListTest(name, address, reply) => drop(reply.send(self.list_test(&name, address))),
            Request::ListExport(name, reply) => drop(reply.send(self.list_export(&name))),
            Request::ListImport(name, text, force, reply) => drop(reply.send(self.list_import(&name, &text, force))),
            Request::ListRefresh(name, reply) => drop(reply.send(self.refresh(&name))),
            Request::Plan(request, reply) => drop(reply.send(self.plan(request).await)),
            Request::Change(request, reply) => drop(reply.send(self.change(request).await)),
            Request::Apply(request, reply) => drop(reply.send(self.apply(request).await)),
            Request::Confirm(request, reply) => drop(reply.send(self.confirm(request.undo).await)),
        }
        self.operator = None;
    }

    async fn reload(&mut self) {
        match self.apply(None).await {
            Ok(changed) if changed.changes.is_empty() => tracing::info!("reloaded; nothing has changed"),
            Ok(changed) => tracing::info!("reloaded: {}", changed.changes.join("; ")),
            Err(error) => tracing::error!("not reloaded, everything stays as it was: {}", error.error),
        }
    }

    fn note(&mut self, report: Report) {
        let subject = Arc::clone(&report.subject);
        let (is_up, reason) = (report.up, report.reason.clone());
        if !self.liveness.note(report, clock::now_s()) {
            return;
        }
        let word = if is_up { "up" } else { "down" };
        tracing::info!(of = subject.owner, backend = subject.backend, reason, "backend is {word}");
        self.follow_world();
    }

    /// Brings the kernel to what health and routes say; a failure is logged and tried again at the next change.
    pub(super) fn follow_world(&mut self) {
        if let Err(error) = self.synchronise() {
            tracing::error!("the kernel's tables could not be brought up to date: {:#}", anyhow::Error::from(error));
        }
    }

    /// Writes the difference between what the tables hold and what they should hold.
    pub(super) fn synchronise(&mut self) -> Result<(), DaemonError> {
        self.write_desired(None)
    }

    pub(super) fn write_desired(&mut self, census: Option<&Census>) -> Result<(), DaemonError> {
        let desired = self.desired(census)?;
        self.spare_operator(&desired.snapshot)?;
        dataplane::apply(&mut self.kernel, &self.snapshot, &desired.snapshot)?;
        self.snapshot = desired.snapshot;
        let Desired { service_ids, slots, weights, keeps, .. } = desired;
        self.places = Places { service_ids, slots, weights, keeps };
        Ok(())
    }

    pub(super) fn desired(&mut self, census: Option<&Census>) -> Result<Desired, DaemonError> {
        let now_s = clock::now_s();
        let secret = self.model.node.secret.unwrap_or(self.generated_secret);
        let devices = self.interfaces.values().copied().collect();
        let macs = receivers(&self.links.borrow_and_update(), self.interfaces.values().copied());
        let liveness = &self.liveness;
        let inputs = Inputs {
            model: &self.model,
            health: &|service, backend| liveness.health(service, backend, now_s),
            lists: &self.lists,
            next_hops: &self.next_hops,
            hash_key: HashKey::expand(secret),
            devices: &devices,
            macs: &macs,
            interfaces: &self.interfaces,
            ephemeral: self.ephemeral,
            patience: Patience::default(),
            guard: &self.floods.guard,
            census,
            now_s,
            now: Moment::now(),
        };
        Ok(self.planner.desired(inputs, &self.snapshot)?)
    }

    /// Every backend, with its service.
    pub(super) fn backends(&self) -> impl Iterator<Item = (&Service, &Backend)> {
        self.model.services.iter().flat_map(|service| service.backends.iter().map(move |backend| (service, backend)))
    }

    /// The slot of a backend.
    pub(super) fn slot(&self, service: &str, backend: &str) -> Option<u16> {
        self.places.slots.get(&(service.to_owned(), backend.to_owned())).copied()
    }

    /// The rows of a service.
    pub(super) fn rows(&self, service: &Service) -> Option<&[Row]> {
        let value = self.snapshot.service(*self.places.service_ids.get(&service.name)?)?;
        self.snapshot.rings.get(&value.ring.into()).map(|rows| &**rows)
    }
}

/// The addresses that the ways to must be known.
fn destinations(model: &Model) -> BTreeSet<IpAddr> {
    model.services.iter().flat_map(|service| &service.backends).map(|backend| backend.address).collect()
}
