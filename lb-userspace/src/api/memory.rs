//! A daemon without a kernel: fixed answers behind the real server, for the tests of both ends of the socket.

use std::{
    future::pending,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use lb_common::DropReason;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::mpsc};

use super::{
    Client, Control, Operator, bind, serve,
    types::{
        ApiError, ApplyRequest, BackendState, BackendStatus, BanStatus, ChangeRequest, Changed, ConfirmRequest,
        DrainStatus, DropCount, DropEvent, DropFilter, Drops, Edit, ExplainQuery, ExplainStep, Explanation, Imported,
        Interface, LimitStatus, List, ListEntry, ListFound, ListSource, ListTest, NodeAddressStatus, RuleStatus,
        ServiceStatus, Status, SynStatus, TopDrops, TopEntry, TrafficStatus,
    },
};
use crate::{
    model::{AdminState, ListKind, Moment, Origin, Protocol},
    telemetry::By,
};

/// What was asked of a [`Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A change.
    Change(ChangeRequest),
    /// A new configuration.
    Apply(Option<ApplyRequest>),
    /// What a new configuration would do.
    Plan(Option<ApplyRequest>),
    /// The end of a trial.
    Confirm(ConfirmRequest),
    /// An import: the list, how many bytes, and whether somebody insists.
    Import(String, usize, bool),
    /// Drops as they come.
    Follow(DropFilter),
    /// Who is behind most of the drops.
    Top(By, usize),
    /// What would become of a packet.
    Explain(ExplainQuery),
}

/// The fixed answers, and what was asked.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Memory {
    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }
}

/// A [`Memory`] that answers on a socket of its own until it is dropped.
pub(crate) struct Daemon {
    pub(crate) memory: Memory,
    pub(crate) runtime: Runtime,
    directory: TempDir,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let memory = Memory::default();
        let daemon =
            Self { memory: memory.clone(), runtime: Runtime::new().unwrap(), directory: tempfile::tempdir().unwrap() };
        let context = daemon.runtime.enter();
        let listener = bind(&daemon.socket()).unwrap();
        daemon.runtime.spawn(serve(listener, memory, pending()));
        drop(context);
        daemon
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("run/sluice.sock")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.socket())
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn backend(service: &str, name: &str, ip: &str, state: BackendState) -> BackendStatus {
    BackendStatus {
        name: name.to_owned(),
        service: service.to_owned(),
        address: address(ip),
        port: None,
        weight: 100,
        effective_weight: 100,
        server_id: None,
        admin: AdminState::Up,
        state,
        reason: String::new(),
        drain: None,
        share: 0.5,
        resolved: true,
        local: false,
        traffic: TrafficStatus { packets: 600, bytes: 750_000, flows: 12 },
        sessions: None,
    }
}

pub(crate) fn drain(flows: u64, drained: bool) -> DrainStatus {
    DrainStatus {
        flows,
        quiet_seconds: 0,
        drained,
        until: Some(Moment::from_seconds(1_800_000_000)),
        seconds_left: Some(540),
    }
}

pub(crate) fn services() -> Vec<ServiceStatus> {
    let down = BackendStatus {
        reason: "connection refused".to_owned(),
        share: 0.0,
        resolved: false,
        ..backend("web", "web2", "10.0.0.12", BackendState::Down)
    };
    let six = BackendStatus {
        port: Some(5353),
        weight: 7,
        effective_weight: 0,
        admin: AdminState::Drain,
        drain: Some(drain(3, false)),
        ..backend("dns", "2001:db8::53", "2001:db8::53", BackendState::Draining)
    };
    vec![
        ServiceStatus {
            name: "web".to_owned(),
            address: "192.0.2.80".to_owned(),
            port: "80".to_owned(),
            protocol: Protocol::Tcp,
            delivery: "l2".to_owned(),
            rows: 4096,
            pool: None,
            allow_from: vec!["198.51.100.0/24".to_owned()],
            syn: Some(SynStatus {
                mode: "auto".to_owned(),
                active: true,
                seconds: Some(75),
                unfinished: Some(48_000),
                challenged: 3_600_000,
                proved: 120,
                retried: 7,
                admitted: 310,
                limited: 2,
                unanswered: 40,
                refused: 5,
            }),
            traffic: TrafficStatus { packets: 1200, bytes: 1_500_000, flows: 24 },
            sessions: None,
            backends: vec![backend("web", "web1", "10.0.0.11", BackendState::Up), down],
        },
        ServiceStatus {
            name: "dns".to_owned(),
            address: "2001:db8::1".to_owned(),
            port: "any".to_owned(),
            protocol: Protocol::Udp,
            delivery: "full-nat".to_owned(),
            rows: 1024,
            pool: Some("names".to_owned()),
            allow_from: Vec::new(),
            syn: None,
            traffic: TrafficStatus::default(),
            sessions: Some(7),
            backends: vec![six],
        },
    ]
}

pub(crate) fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 4711,
        uptime_seconds: 93_784,
        config: "/etc/sluice/sluice.toml".to_owned(),
        ephemeral_changes: true,
        interfaces: vec![Interface { name: "eth0".to_owned(), mode: "native".to_owned() }],
        services: 2,
        backends: 3,
        backends_up: 1,
        node_protected: true,
        node_addresses: vec![NodeAddressStatus {
            address: address("2001:db8::2"),
            ports: 31_744,
            tcp_sessions: 0,
            udp_sessions: 7,
        }],
        warnings: vec!["service dns has no backend that takes new flows".to_owned()],
    }
}

pub(crate) fn drops() -> Drops {
    let count = |reason: &DropReason| match reason {
        DropReason::Denied => 12,
        DropReason::NoBackend => 3400,
        _ => 0,
    };
    let entry = |reason: &DropReason| {
        let (explanation, advice) = (reason.explanation().to_owned(), reason.advice().to_owned());
        let packets = count(reason);
        (reason.name().to_owned(), DropCount { packets, per_second: packets as f64 / 8.0, explanation, advice })
    };
    Drops { reasons: DropReason::ALL.iter().map(entry).collect() }
}

/// One from a denied client to the service `web`, and one of IPv6 that stands for many.
pub(crate) fn drop_events() -> Vec<DropEvent> {
    let denied = DropEvent {
        time: "2026-11-27T09:30:01.250Z".to_owned(),
        reason: "denied".to_owned(),
        interface: "eth0".to_owned(),
        source: address("203.0.113.9"),
        source_port: Some(40_000),
        destination: address("192.0.2.80"),
        destination_port: Some(80),
        protocol: "tcp".to_owned(),
        tcp_flags: "syn".to_owned(),
        frame_bytes: 74,
        service: Some("web".to_owned()),
        rule: None,
        drops: 1,
        missed: 0,
    };
    let other = DropEvent {
        reason: "no_backend".to_owned(),
        source: address("2001:db8::9"),
        source_port: None,
        destination: address("2001:db8::1"),
        destination_port: None,
        protocol: "132".to_owned(),
        tcp_flags: String::new(),
        service: None,
        drops: 1200,
        missed: 7,
        ..denied.clone()
    };
    vec![denied, other]
}

pub(crate) fn top_drops(by: By) -> TopDrops {
    let entry = |key: &str, drops, plus_minus| TopEntry {
        key: key.to_owned(),
        drops,
        plus_minus,
        share: drops as f64 / 20_000.0,
    };
    let entries = vec![entry("203.0.113.9", 12_000, 310), entry("2001:db8::9", 500, 0)];
    TopDrops { by, seconds: 95, drops: 20_000, samples: 900, entries }
}

pub(crate) fn explanation() -> Explanation {
    let step = |stage: &str, finding: &str| ExplainStep { stage: stage.to_owned(), finding: finding.to_owned() };
    Explanation {
        packet: "a TCP SYN from 203.0.113.9:4000 to 192.0.2.80:80, by eth0".to_owned(),
        outcome: "dropped, no_backend: nobody is up".to_owned(),
        reason: Some("no_backend".to_owned()),
        advice: Some("start one".to_owned()),
        steps: vec![step("firewall", "passed on"), step("service", "web")],
    }
}

fn entry(prefix: &str, reason: Option<&str>, packets: u64) -> ListEntry {
    ListEntry {
        prefix: prefix.to_owned(),
        reason: reason.map(str::to_owned),
        origin: Origin::Config,
        until: None,
        seconds_left: None,
        packets: Some(packets),
    }
}

pub(crate) fn list(kind: ListKind) -> List {
    let empty = List {
        name: kind.name().to_owned(),
        action: kind.name().to_owned(),
        services: vec![],
        prefixes: 0,
        sources: vec![],
        entries: vec![],
        packets: 0,
        bytes: 0,
    };
    match kind {
        ListKind::Allow => empty,
        ListKind::Deny => {
            let until = Some(Moment::from_seconds(1_800_000_000));
            let six =
                ListEntry { origin: Origin::Command, until, seconds_left: Some(90), ..entry("2001:db8::/32", None, 5) };
            let source = ListSource {
                name: "/var/lib/pests".to_owned(),
                prefixes: 100,
                duplicates: 3,
                covered: 7,
                fetched: None,
                problem: None,
            };
            List {
                prefixes: 102,
                sources: vec![source],
                entries: vec![entry("192.0.2.0/24", Some("scans"), 7), six],
                packets: 12,
                bytes: 720,
                ..empty
            }
        }
    }
}

pub(crate) fn rules() -> Vec<RuleStatus> {
    let rule = |name: &str, action: &str, matches: &str, packets| RuleStatus {
        name: name.to_owned(),
        action: action.to_owned(),
        matches: matches.to_owned(),
        packets,
        bytes: 60 * packets,
    };
    vec![rule("ssh", "pass", "tcp port 22 from 192.0.2.0/24", 100), rule("rest", "drop", "tcp port 22", 0)]
}

pub(crate) fn limits() -> Vec<LimitStatus> {
    let limit = |name: &str, by: &str, measure: &str, rate| LimitStatus {
        name: name.to_owned(),
        by: by.to_owned(),
        measure: measure.to_owned(),
        rate,
        burst: 2 * rate,
        services: Vec::new(),
        action: "drop".to_owned(),
        passed: 1000,
        limited: 7,
        limited_bytes: 420,
        bans: Vec::new(),
    };
    let ban = |source: &str, seconds_left| BanStatus {
        source: source.to_owned(),
        until: Moment::from_seconds(1_800_000_000),
        seconds_left,
    };
    vec![
        LimitStatus {
            services: vec!["web".to_owned()],
            action: "ban 10m".to_owned(),
            bans: vec![ban("203.0.113.9/32", 540), ban("2001:db8:1::/64", 8)],
            ..limit("per-client", "source /32 /64", "packets", 100)
        },
        limit("total", "all", "bytes", 1_000_000),
    ]
}

impl Control for Memory {
    async fn status(&self) -> Result<Status, ApiError> {
        Ok(status())
    }

    async fn services(&self) -> Result<Vec<ServiceStatus>, ApiError> {
        Ok(services())
    }

    async fn drops(&self) -> Result<Drops, ApiError> {
        Ok(drops())
    }

    async fn rules(&self) -> Result<Vec<RuleStatus>, ApiError> {
        Ok(rules())
    }

    async fn limits(&self) -> Result<Vec<LimitStatus>, ApiError> {
        Ok(limits())
    }

    /// Has the events at once, and then no more.
    async fn follow_drops(&self, filter: DropFilter) -> Result<mpsc::Receiver<DropEvent>, ApiError> {
        self.note(Asked::Follow(filter.clone()));
        if filter.service.is_some_and(|name| name != "web") {
            return Err(ApiError::usage("there is no such service"));
        }
        let (sender, events) = mpsc::channel(8);
        for event in drop_events() {
            drop(sender.try_send(event));
        }
        Ok(events)
    }

    async fn top_drops(&self, by: By, count: usize) -> Result<TopDrops, ApiError> {
        self.note(Asked::Top(by, count));
        Ok(top_drops(by))
    }

    async fn explain(&self, query: ExplainQuery) -> Result<Explanation, ApiError> {
        self.note(Asked::Explain(query));
        Ok(explanation())
    }

    async fn lists(&self) -> Result<Vec<List>, ApiError> {
        Ok(ListKind::ALL.map(|kind| List { entries: vec![], ..list(kind) }).into())
    }

    async fn list(&self, name: String) -> Result<List, ApiError> {
        let kind = ListKind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map(list).ok_or_else(|| ApiError::usage(format!("no list `{name}`")))
    }

    async fn list_test(&self, name: String, address: IpAddr) -> Result<ListTest, ApiError> {
        let denied = name == "deny" && address.is_ipv4();
        let matched = denied.then(|| "192.0.2.0/24".to_owned());
        let outcome = if denied { "denied by 192.0.2.0/24" } else { "not filtered by any list" }.to_owned();
        let found = ListFound {
            list: name,
            action: "deny".to_owned(),
            services: vec!["web".to_owned()],
            entry: ListEntry { seconds_left: Some(90), ..entry("192.0.2.0/24", Some("scans"), 7) },
        };
        Ok(ListTest { address, matched, outcome, found: if denied { vec![found] } else { vec![] } })
    }

    async fn list_export(&self, _: String) -> Result<String, ApiError> {
        Ok("192.0.2.0/24 # scans\n2001:db8::/32\n".to_owned())
    }

    async fn list_import(
        &self,
        name: String,
        text: Vec<u8>,
        force: bool,
        _: Option<Operator>,
    ) -> Result<Imported, ApiError> {
        self.note(Asked::Import(name, text.len(), force));
        let source = ListSource {
            name: "import".to_owned(),
            prefixes: 2,
            duplicates: 1,
            covered: 0,
            fetched: None,
            problem: None,
        };
        Ok(Imported { source, microseconds: 1_500 })
    }

    /// Knows the service `web` and no interface that could be attached to.
    async fn plan(&self, document: Option<ApplyRequest>, _: Option<Operator>) -> Result<Changed, ApiError> {
        self.note(Asked::Plan(document));
        Ok(Changed { changes: vec!["added service dns".to_owned()], microseconds: 0, warnings: vec![] })
    }

    async fn change(&self, request: ChangeRequest, _: Option<Operator>) -> Result<Changed, ApiError> {
        self.note(Asked::Change(request.clone()));
        let changes = match request.edit {
            Edit::BackendRemove { service, .. } if service != "web" => {
                return Err(ApiError::usage(format!("no service `{service}`: there is web")));
            }
            Edit::Attach { interface } => return Err(ApiError::failure(format!("cannot attach to {interface}"))),
            Edit::ListRemove { .. } => vec![],
            edit => vec![format!("{edit:?}")],
        };
        Ok(Changed { changes, microseconds: 3_200, warnings: vec![] })
    }

    async fn confirm(&self, request: ConfirmRequest) -> Result<Changed, ApiError> {
        self.note(Asked::Confirm(request));
        if request.undo {
            return Err(ApiError::usage("no configuration is on trial"));
        }
        Ok(Changed { changes: vec!["confirmed".to_owned()], microseconds: 0, warnings: vec![] })
    }

    async fn apply(&self, document: Option<ApplyRequest>, _: Option<Operator>) -> Result<Changed, ApiError> {
        self.note(Asked::Apply(document.clone()));
        match document {
            Some(document) if document.text.is_empty() => {
                let origin = document.origin;
                Err(ApiError::usage(format!("{origin}:1:1: no interface\n{origin}:1:1: no service")))
            }
            _ => Ok(Changed {
                changes: vec!["backend web3 added to web".to_owned(), "192.0.2.0/24 removed from deny".to_owned()],
                microseconds: 850,
                warnings: vec!["eth1 has no native mode: generic".to_owned()],
            }),
        }
    }
}
