//! What it answers.

use std::net::IpAddr;

use lb_common::DropReason;

use crate::{
    api::types::{
        BackendState, BackendStatus, BanStatus, DrainStatus, DropCount, DropEvent, Drops, ExplainStep, Explanation,
        Interface, LimitStatus, List, ListEntry, ListSource, NodeAddressStatus, RuleStatus, ServiceStatus, Status,
        SynStatus, TopDrops, TopEntry, TrafficStatus,
    },
    model::{AdminState, ListKind, Moment, Origin, Protocol},
    telemetry::By,
};

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

pub(super) fn entry(prefix: &str, reason: Option<&str>, packets: u64) -> ListEntry {
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
