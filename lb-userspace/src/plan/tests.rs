//! What services become in the tables, and how one set of tables leads to another.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{EndpointKey, Features, HashKey, PortSpan, Row, Sanity, ServiceFlags, ServiceValue};

use super::*;
use crate::{
    config::Document,
    model::{Model, Moment},
    routes::NextHops,
};

/// The model of a document.
fn model(text: &str) -> Model {
    Document::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}")).1
}

/// A service on `10.0.0.1`; `more` overrides and adds keys, as TOML of one line each.
fn service(name: &str, port: &str, more: &str) -> String {
    let has = |key: &str| more.lines().any(|line| line.starts_with(key));
    let defaults = [("address", "'10.0.0.1'"), ("delivery", "'ipip'"), ("ring.rows", "1024")];
    let defaults: String =
        defaults.iter().filter(|(key, _)| !has(key)).map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("[[service]]\nname = '{name}'\nport = {port}\n{defaults}{more}\n")
}

/// Services of one backend, each with its ports.
fn services(ports: &[(&str, &str)]) -> String {
    let backend = "backend = [{ address = '10.1.0.1' }]";
    ports.iter().map(|(name, port)| service(name, port, backend)).collect()
}

/// What the tables should hold after these ones.
fn desired(planner: &mut Planner, text: &str, current: &Snapshot) -> Desired {
    desired_with(planner, text, current, &Guard::default())
}

fn desired_with(planner: &mut Planner, text: &str, current: &Snapshot, guard: &Guard) -> Desired {
    let model = model(text);
    let inputs = Inputs {
        lists: &crate::lists::Lists::of(&model.firewall).expect("lists that fit"),
        model: &model,
        health: &|_, _| Health::Up,
        next_hops: &NextHops::default(),
        hash_key: HashKey::default(),
        devices: &BTreeSet::new(),
        interfaces: &BTreeMap::new(),
        ephemeral: EPHEMERAL,
        patience: Patience::default(),
        macs: &[],
        guard,
        census: None,
        now_s: 0,
        now: Moment::from_seconds(0),
    };
    planner.desired(inputs, current).unwrap()
}

fn planned(text: &str) -> Desired {
    desired(&mut Planner::default(), text, &Snapshot::default())
}

fn tcp(port: u16) -> EndpointKey {
    EndpointKey::new(std::net::Ipv4Addr::new(10, 0, 0, 1).into(), port, 6)
}

fn block(snapshot: &Snapshot, key: EndpointKey) -> Vec<(PortSpan, u16)> {
    let value = snapshot.services[&key];
    assert_eq!(value.flags, ServiceFlags::RANGES);
    snapshot.port_blocks[&value.ring].iter().map(|(span, value)| (span, value.id)).collect()
}

fn span(first: u16, last: u16) -> PortSpan {
    PortSpan { first, last }
}

#[test]
fn each_port_has_its_entry_and_ranges_share_one() {
    let text = services(&[("a", "[443, '8000-8100', 80]"), ("b", "'any'"), ("c", "['9000-9001', 7]"), ("d", "8050")]);
    let Desired { snapshot, service_ids, .. } = planned(&text);
    let id = |name: &str| service_ids[name] as u16;
    for (port, name) in [(443, "a"), (80, "a"), (7, "c"), (8050, "d")] {
        assert_eq!(snapshot.services[&tcp(port)].id, id(name), "port {port}");
    }
    let ranges = [(span(8000, 8100), id("a")), (span(9000, 9001), id("c")), (PortSpan::ANY, id("b"))];
    assert_eq!(block(&snapshot, tcp(0)), ranges);
    assert_eq!(snapshot.services.len(), 6, "four ports, the ranges and the address");
    assert!(snapshot.services[&tcp(80)] == snapshot.services[&tcp(443)]);
    assert_eq!(snapshot.rings.len(), 4);
}

#[test]
fn any_port_alone_needs_no_block() {
    let Desired { snapshot, .. } = planned(&services(&[("a", "'any'"), ("b", "80")]));
    assert_eq!((snapshot.services[&tcp(0)].flags, snapshot.port_blocks.len()), (ServiceFlags::WATCHED, 0));
}

#[test]
fn a_service_is_watched_or_guarded_as_its_protection_says() {
    use ServiceFlags as Flags;
    let flags = |protection: &str, is_flooded: bool| {
        let text =
            services(&[("a", "80")]).replace("port = 80", &format!("port = 80\nsyn_protection = '{protection}'"));
        let flooded = if is_flooded { BTreeSet::from(["a".to_owned()]) } else { BTreeSet::new() };
        let guard = Guard { flooded, ..Guard::default() };
        desired_with(&mut Planner::default(), &text, &Snapshot::default(), &guard).snapshot.services[&tcp(80)].flags
    };
    for is_flooded in [false, true] {
        assert_eq!(flags("off", is_flooded), 0);
        assert_eq!(flags("always", is_flooded), Flags::GUARDED);
    }
    assert_eq!((flags("auto", false), flags("monitor", false)), (Flags::WATCHED, Flags::WATCHED));
    assert_eq!(flags("auto", true), Flags::WATCHED | Flags::GUARDED);
    assert_eq!(flags("monitor", true), Flags::WATCHED | Flags::GUARDED | Flags::OBSERVED);
}

#[test]
fn the_keys_are_there_before_a_service_asks_for_cookies() {
    let guard = Guard { keys: [[1, 2], [3, 4]], epoch: 9, flooded: BTreeSet::from(["a".to_owned()]) };
    let text = services(&[("a", "80")]);
    let before = planned(&text).snapshot;
    let after = desired_with(&mut Planner::default(), &text, &before, &guard).snapshot;
    let changes = difference(&before, &after);
    let place = |is_it: fn(&Change) -> bool| changes.iter().position(is_it).expect("there is such a change");
    let keys = place(|change| matches!(change, Change::PutSynSettings(settings) if settings.epoch == 9));
    assert!(keys < place(|change| matches!(change, Change::PutService(_, _))));
    let mut performed = before;
    changes.iter().for_each(|change| performed.perform(change));
    assert!(performed == after);
}

/// The ids of the services after a change, by name; the first model's services have theirs by order.
fn ids_after(before: &[(&str, &str)], after: &[(&str, &str)]) -> BTreeMap<String, u32> {
    let old = planned(&services(before));
    // Another planner, as after a restart: all that is known stands in the tables.
    desired(&mut Planner::default(), &services(after), &old.snapshot).service_ids
}

#[test]
fn a_service_stays_itself_as_long_as_it_keeps_a_port() {
    type Ports = &'static [(&'static str, &'static str)];
    let cases: [(Ports, Ports, &[u32]); 12] = [
        (&[("a", "443")], &[("a", "[80, 443]")], &[0]),
        (&[("a", "[80, 443]")], &[("a", "443")], &[0]),
        (&[("a", "8080")], &[("a", "'8080-8090'")], &[0]),
        (&[("a", "'8000-8100'")], &[("a", "['9000-9100', '8000-8100']")], &[0]),
        (&[("a", "'8000-8100'")], &[("a", "'8050-8200'")], &[0]),
        (&[("a", "'any'")], &[("a", "'any'"), ("b", "'8000-8100'")], &[0, 1]),
        (&[("a", "'any'")], &[("a", "80")], &[1]),
        // A list that is split: the first one stays, but who still has the port in front stays before who has it behind.
        (&[("a", "[80, 443]")], &[("b", "443"), ("a", "80")], &[0, 1]),
        (&[("a", "[80, 443]")], &[("b", "[81, 443]"), ("a", "80")], &[1, 0]),
        (&[("a", "8050")], &[("range", "'8050-8100'"), ("a", "8050")], &[1, 0]),
        // Names do not matter.
        (&[("a", "80"), ("b", "81")], &[("b", "80"), ("a", "81")], &[0, 1]),
        (&[("a", "80"), ("b", "81")], &[("c", "[82, 81]"), ("a", "80")], &[1, 0]),
    ];
    for (before, after, expected) in cases {
        let ids = ids_after(before, after);
        let found: Vec<u32> = after.iter().map(|(name, _)| ids[*name]).collect();
        assert_eq!(found, expected, "{before:?} to {after:?}");
    }
}

#[test]
fn a_port_more_moves_no_row_and_resets_no_counter() {
    let mut planner = Planner::default();
    let old = desired(&mut planner, &services(&[("a", "80")]), &Snapshot::default()).snapshot;
    let new = desired(&mut planner, &services(&[("a", "['8000-8100', 80, 81]")]), &old).snapshot;
    assert_eq!(old.rings, new.rings);
    let changes = difference(&old, &new);
    assert!(
        matches!(
            changes.as_slice(),
            [Change::PutSettings(_), Change::PutPortBlock(..), Change::PutService(..), Change::PutService(..)]
                | [Change::PutPortBlock(..), Change::PutService(..), Change::PutService(..)]
        ),
        "{changes:?}"
    );
}

#[test]
fn a_block_is_switched_and_never_patched() {
    let mut planner = Planner::default();
    let first = desired(&mut planner, &services(&[("a", "'8000-8100'")]), &Snapshot::default()).snapshot;
    let same = desired(&mut planner, &services(&[("a", "'8000-8100'"), ("b", "80")]), &first).snapshot;
    assert_eq!(first.port_blocks, same.port_blocks);
    let second = desired(&mut planner, &services(&[("a", "'8000-8200'")]), &first).snapshot;
    let changes = difference(&first, &second);
    let position = |is_it: fn(&Change) -> bool| changes.iter().position(is_it).expect("the change");
    let put = position(|change| matches!(change, Change::PutPortBlock(1, _)));
    let switched = position(|change| matches!(change, Change::PutService(key, _) if *key == tcp(0)));
    let forgotten = position(|change| matches!(change, Change::ForgetPortBlock(0)));
    assert!(put < switched && switched < forgotten, "{changes:?}");
    let third = desired(&mut planner, &services(&[("a", "'8000-8300'")]), &second).snapshot;
    assert_eq!(third.port_blocks.keys().collect::<Vec<_>>(), [&2], "a place that was just left rests");
}

#[test]
fn prefixes_are_known_by_their_lengths() {
    let at = |name: &str, address: &str| service(name, "80", &format!("address = '{address}'"));
    let addresses = ["10.2.0.0/16", "10.3.0.0/24", "10.4.0.0/24", "10.0.0.1", "fd00::/64", "fd01::1"];
    let text: String = addresses.iter().enumerate().map(|(n, address)| at(&format!("s{n}"), address)).collect();
    let Desired { snapshot, .. } = planned(&text);
    assert_eq!(snapshot.settings.prefix_bits_v4, [96 + 24, 96 + 16, 0, 0]);
    assert_eq!(snapshot.settings.prefix_bits_v6, [64, 0, 0, 0]);
    assert_eq!(snapshot.settings.features, Features::PREFIXES);
    let network = std::net::Ipv4Addr::new(10, 2, 0, 0).into();
    assert!(snapshot.services.contains_key(&EndpointKey::in_network(network, 96 + 16, 80, 6)));
    assert!(snapshot.services.contains_key(&EndpointKey::in_network(network, 96 + 16, 0, 1)));
    assert!(snapshot.settings.services.may_have(&network));
    assert_eq!(planned(&at("a", "10.0.0.1")).snapshot.settings.features, 0);
}

#[test]
fn replies_of_ranges_are_known_by_the_address_alone() {
    let more = "delivery = 'nat'\nbackend = [{ address = '10.1.0.1' }]";
    let Desired { snapshot, .. } = planned(&service("a", "[80, '8000-8100', 443]", more));
    let from = |port| EndpointKey::new(std::net::Ipv4Addr::new(10, 1, 0, 1).into(), port, 6);
    let found: Vec<_> = snapshot.replies.iter().map(|(key, value)| (*key, value.port, value.is_checked)).collect();
    assert_eq!(found, [(from(0), 0, 1), (from(80), 80, 0), (from(443), 443, 0)]);
    let any = planned(&service("a", "'any'", more)).snapshot;
    assert_eq!(any.replies.values().map(|value| (value.port, value.is_checked)).collect::<Vec<_>>(), [(0, 0)]);
    assert!(snapshot.settings.replies.may_have(&from(0).address));
}

/// The name of the owner of each row.
fn owners(desired: &Desired, service: &str) -> Vec<Option<String>> {
    let value = desired.snapshot.service(desired.service_ids[service]).expect("the service");
    let names: BTreeMap<u16, &str> = desired
        .slots
        .iter()
        .filter(|((owner, _), _)| owner == service)
        .map(|((_, backend), slot)| (*slot, backend.as_str()))
        .collect();
    let rows = desired.snapshot.rings[&value.ring.into()].iter();
    rows.map(|row: &Row| names.get(&row.current()).map(|name| (*name).to_owned())).collect()
}

#[test]
fn rings_of_a_pool_are_alike_and_others_are_not() {
    let backends: String =
        (1..=3).map(|n| format!("[[pool.backend]]\nname = 'b{n}'\naddress = '10.1.0.{n}'\n")).collect();
    let own = "backend = [{ name = 'b1', address = '10.1.0.1' }, { name = 'b2', address = '10.1.0.2' }, \
        { name = 'b3', address = '10.1.0.3' }]";
    let text = format!("[[pool]]\nname = 'servers'\n{backends}")
        + &service("a", "80", "pool = 'servers'")
        + &service("b", "[443, '8000-8100']", "pool = 'servers'")
        + &service("own", "82", own);
    let desired = planned(&text);
    assert_eq!(desired.snapshot.backends.len(), 9, "a slot tells the service");
    assert_eq!(owners(&desired, "a"), owners(&desired, "b"));
    assert_ne!(owners(&desired, "a"), owners(&desired, "own"));
}

#[test]
fn a_source_that_stays_allowed_is_allowed_after_every_step() {
    let open = service("a", "[80, '8000-8100']", "");
    let restricted = |sources: &str| service("a", "[80, '8000-8100']", &format!("allow_from = [{sources}]"));
    let texts = [
        open.clone(),
        restricted("'192.0.2.0/24', '10.9.0.0/16'"),
        restricted("'10.9.0.0/16', 'fd00::/8'"),
        restricted("'10.9.0.0/16'"),
        restricted("'10.9.1.0/24', '10.9.0.0/16'"),
        open,
    ];
    let source: ipnet::IpNet = "10.9.0.0/16".parse().unwrap();
    let mut planner = Planner::default();
    let mut tables = Snapshot::default();
    for text in texts {
        let wanted = desired(&mut planner, &text, &tables).snapshot;
        let mut services_seen = 0;
        for change in difference(&tables.clone(), &wanted) {
            tables.perform(&change);
            for value in tables.each_service() {
                services_seen += 1;
                let is_restricted = value.flags & ServiceFlags::RESTRICTED != 0;
                assert!(!is_restricted || tables.sources.contains(&(value.id, source)), "after {change:?}");
            }
        }
        assert!(tables == wanted && services_seen > 0);
    }
    assert!(tables.sources.is_empty());
}

/// The checks of the node, and those of services by name.
fn checks(text: &str) -> (u64, BTreeMap<String, u64>) {
    let Desired { snapshot, service_ids, .. } = planned(text);
    let at = |element: u32| snapshot.sanity.get(&element).copied().unwrap_or(0);
    assert!(
        snapshot
            .sanity
            .keys()
            .all(|element| *element == Sanity::OF_NODE || service_ids.values().any(|id| id == element))
    );
    (at(Sanity::OF_NODE), service_ids.iter().map(|(name, id)| (name.clone(), at(*id))).collect())
}

#[test]
fn a_service_has_the_nodes_checks_but_for_its_exceptions() {
    let all = crate::model::Sanity::default().bits(&crate::model::Exceptions::new());
    let text = service("a", "80", "") + &service("b", "81", "sanity = { land = false, martians = true }");
    let (node, services) = checks(&text);
    let of_node = all & !Sanity::AMPLIFIERS;
    assert_eq!((node, services["a"], services["b"]), (of_node, all, all & !Sanity::LAND));
    let (node, services) = checks(&format!("firewall.sanity.martians = false\n{text}"));
    assert_eq!((node, services["a"]), (of_node & !Sanity::MARTIANS, all & !Sanity::MARTIANS));
    assert_eq!(services["b"], all & !Sanity::LAND);
}

#[test]
fn ports_of_amplifiers_are_in_the_settings_only_if_somebody_asks_for_them() {
    let has = |text: &str, port| planned(text).snapshot.settings.amplifiers.has(port);
    let udp = |more: &str| service("a", "53", &format!("protocol = 'udp'\n{more}"));
    let named = "firewall.sanity.amplifiers = [53]\n".to_owned() + &udp("");
    assert!(!has("", 161) && has(&udp(""), 161) && !has(&udp(""), 53));
    assert!(has(&named, 53) && !has(&named, 161));
    let off = |more: &str| "firewall.sanity.amplifiers = false\n".to_owned() + &udp(more);
    assert_eq!(planned(&off("")).snapshot.settings.amplifiers.filter(), 0);
    assert!(has(&off("sanity.amplifiers = true"), 161));
}

#[test]
fn a_service_has_its_checks_before_packets_see_it_and_until_none_does() {
    let without = planned(&service("a", "80", "")).snapshot;
    let text = service("a", "80", "") + &service("b", "81", "");
    let with = desired(&mut Planner::default(), &text, &without).snapshot;
    let id = with.services[&tcp(81)].id.into();
    let place =
        |changes: &[Change], is_it: &dyn Fn(&Change) -> bool| changes.iter().position(is_it).expect("such a change");
    let changes = difference(&without, &with);
    let put = place(&changes, &|change| matches!(change, Change::PutSanity(element, _) if *element == id));
    assert!(put < place(&changes, &|change| matches!(change, Change::PutService(key, _) if *key == tcp(81))));
    let changes = difference(&with, &without);
    let taken = place(&changes, &|change| *change == Change::PutSanity(id, 0));
    assert!(taken > place(&changes, &|change| matches!(change, Change::RemoveService(key) if *key == tcp(81))));
    let mut performed = with;
    changes.iter().for_each(|change| performed.perform(change));
    assert!(performed == without);
}

#[test]
fn a_planner_that_takes_tables_over_changes_nothing() {
    let text = "firewall.sanity = { land = false, bogons = true }\n".to_owned()
        + &services(&[("a", "[443, '8000-8100', 80]"), ("b", "'any'")])
        + &service(
            "c",
            "'1000-2000'",
            "address = '10.2.0.0/24'\nallow_from = ['192.0.2.0/24']\nsanity.tcp_flags = false",
        )
        + &service("d", "[1, '5-9']", "address = '10.3.0.1'\ndelivery = 'nat'\nbackend = [{ address = '10.1.0.2' }]");
    let first = planned(&text).snapshot;
    let second = desired(&mut Planner::default(), &text, &first).snapshot;
    assert_eq!(difference(&first, &second), []);
    assert!(first == second);
}

#[test]
fn no_value_of_a_service_is_the_word_for_none() {
    let Desired { snapshot, .. } = planned(&services(&[("a", "[1, '5-9']"), ("b", "'any'")]));
    assert!(snapshot.services.values().all(|value| ServiceValue::from_word(value.word()) == Some(*value)));
}
