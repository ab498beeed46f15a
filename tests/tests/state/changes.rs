//! Changes of the configuration.

use lb_common::RowState;
use lb_userspace::model::AdminState;
use tests::sim::Kind;

use super::{FLIP_S, data, node, open, wait_sending};

#[test]
fn there_and_back() {
    let mut node = node();
    assert_eq!(open(&node, 1), "a");
    node.hand_to("b");
    assert_eq!((open(&node, 2).as_str(), data(&node, 1).as_str()), ("b", "a"));
    node.hand_to("a");
    assert_eq!((open(&node, 3).as_str(), data(&node, 1).as_str()), ("a", "a"));
    wait_sending(&mut node, 2 * FLIP_S, &[(1, "a"), (2, "b"), (3, "a")]);
}

#[test]
fn on_to_a_third_while_the_first_serves() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    open(&node, 2);
    node.tick(60);
    node.hand_to("c");
    assert_eq!(open(&node, 3), "c");
    wait_sending(&mut node, 2 * FLIP_S, &[(1, "a"), (2, "b"), (3, "c")]);
}

#[test]
fn on_to_a_third_when_the_first_is_gone() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    open(&node, 2);
    node.change(|service| {
        service.backends.remove(0);
        service.backends[0].state = AdminState::Drain;
        service.backends[1].state = AdminState::Up;
    });
    assert_eq!(open(&node, 3), "c");
    assert_eq!(data(&node, 1), "c", "its backend is gone: the new owner says so to the client");
    wait_sending(&mut node, 2 * FLIP_S, &[(2, "b"), (3, "c")]);
}

/// The time counts from this change, not from when the ring was made.
#[test]
fn a_change_of_an_old_ring_waits_its_full_time() {
    let mut node = node();
    open(&node, 1);
    for _ in 0..3 {
        node.tick(FLIP_S);
    }
    node.hand_to("b");
    node.wait(FLIP_S - 1);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len());
    assert_eq!(data(&node, 1), "a");
    // The same for rows that have been in lookup.
    node.wait(2);
    assert_eq!(node.rows_in(RowState::Moving), 0);
    assert_eq!(node.row(1).state(), RowState::Lookup);
    open(&node, 2);
    let row = (3..).find(|&flow| node.row(flow).state() == RowState::Lookup && flow != 1).unwrap();
    assert_eq!(open(&node, row), "b");
    node.hand_to("c");
    node.wait(FLIP_S - 1);
    assert_eq!((data(&node, row).as_str(), data(&node, 2).as_str()), ("b", "b"));
}

#[test]
fn every_row_settles_once_its_connections_are_closed() {
    let mut node = node();
    for flow in 0..200 {
        open(&node, flow);
    }
    node.hand_to("b");
    for flow in 0..100 {
        data(&node, flow);
        data(&node, flow);
    }
    node.wait(FLIP_S);
    node.tick(2);
    assert!(node.rows_in(RowState::Lookup) > 50 && node.rows_in(RowState::Settled) > 800);
    for flow in 0..100 {
        assert_eq!(node.packet(flow, if flow % 2 == 0 { Kind::Fin } else { Kind::Rst }), Some("a"));
    }
    node.tick(30);
    assert!(node.rows_in(RowState::Lookup) > 50, "closing connections have half a minute");
    node.tick(1);
    assert_eq!((node.rows_in(RowState::Settled), node.entries()), (node.rows().len(), 0));
}

#[test]
fn the_same_addresses_and_ports_again() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    assert_eq!((data(&node, 1).as_str(), data(&node, 1).as_str()), ("a", "a"));
    assert!(node.entry(1).is_some_and(lb_common::Entry::is_confirmed));
    assert_eq!(open(&node, 1), "b", "the former connection is over");

    // Once more, while the row is looked up.
    assert_eq!(open(&node, 2), "b");
    node.hand_to("c");
    wait_sending(&mut node, FLIP_S + 60, &[(2, "b")]);
    assert_eq!(node.row(2).state(), RowState::Lookup);
    assert_eq!(open(&node, 2), "c");
    assert_eq!(node.entry(2), None, "nothing is left that could send it elsewhere");
}

/// Whoever is leaving need not be remembered, and whoever is where the row says need no longer be.
#[test]
fn places_are_not_wasted() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    for kind in [Kind::Fin, Kind::Rst] {
        assert_eq!((node.packet(1, kind), node.entry(1)), (Some("a"), None));
    }
    open(&node, 2);
    node.wait(FLIP_S);
    assert!(node.row(2).state() == RowState::Lookup && node.entry(2).is_some());
    assert_eq!((data(&node, 2).as_str(), node.entry(2)), ("b", None));
}

#[test]
fn a_connection_that_ended_and_began_again_in_one_moment() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    data(&node, 1);
    assert_eq!(node.packet(1, Kind::Fin), Some("a"));
    assert_eq!(open(&node, 1), "b");
    node.tick(31);
    assert_eq!(data(&node, 1), "b", "the new connection is not closing");
}

#[test]
fn a_syn_retransmitted_across_a_change() {
    let mut node = node();
    node.hand_to("b");
    assert_eq!(node.packet(1, Kind::Syn), Some("b"));
    node.hand_to("c");
    assert_eq!(node.packet(1, Kind::Syn), Some("b"), "b has answered the first one");
    assert_eq!(data(&node, 1), "b");

    assert_eq!(node.packet(2, Kind::Syn), Some("c"));
    node.remove("c");
    node.hand_to("b");
    assert_eq!(node.packet(2, Kind::Syn), Some("b"), "c can no longer answer");
}

#[test]
fn a_syn_retransmitted_when_nobody_takes_new_flows() {
    let mut node = node();
    node.hand_to("b");
    assert_eq!(node.packet(1, Kind::Syn), Some("b"));
    node.drain("b");
    assert_eq!(node.packet(2, Kind::Syn), None);
    assert_eq!(node.packet(1, Kind::Syn), Some("b"));
    assert_eq!(data(&node, 1), "b");
}

#[test]
fn a_change_within_a_handshake() {
    let mut node = node();
    assert_eq!(node.packet(1, Kind::Syn), Some("a"));
    node.hand_to("b");
    assert_eq!(data(&node, 1), "a", "from settled");
    assert_eq!(node.packet(2, Kind::Syn), Some("b"));
    node.hand_to("c");
    assert_eq!(data(&node, 2), "b", "from moving");
    wait_sending(&mut node, FLIP_S + 60, &[(1, "a"), (2, "b")]);
    assert_eq!(node.row(1).state(), RowState::Lookup);
    let flow = (3..).find(|&flow| node.row_index(flow) == node.row_index(1)).unwrap();
    assert_eq!(node.packet(flow, Kind::Syn), Some("c"));
    node.hand_to("a");
    assert_eq!(data(&node, flow), "c", "from lookup");
}

#[test]
fn a_weight_ramp() {
    let mut node = node();
    node.hand_to("a");
    let mut flows: Vec<(u32, String)> = (0..100).map(|flow| (flow, open(&node, flow))).collect();
    for step in 1..=20 {
        node.change(|service| service.backends[1].state = AdminState::Up);
        node.weigh("b", step * 20);
        node.weigh("a", 400 - (step - 1) * 20);
        for flow in 0..20 {
            let flow = step * 1000 + flow;
            flows.push((flow, open(&node, flow)));
        }
        for _ in 0..4 {
            node.tick(300);
            for (flow, backend) in &flows {
                assert_eq!(data(&node, *flow), *backend, "step {step}, flow {flow}");
            }
        }
    }
    let on_b = flows.iter().filter(|(_, backend)| backend == "b").count();
    assert!((150..300).contains(&on_b), "{on_b}");
}

/// The limit of the rules: what has not been seen while the row moved is taken for a flow that has ended.
#[test]
fn a_flow_idle_for_longer_than_the_flip_time() {
    let mut node = node();
    open(&node, 1);
    open(&node, 2);
    node.hand_to("b");
    // The second one is heard of twice; it then may be idle for longer.
    data(&node, 2);
    data(&node, 2);
    node.wait(FLIP_S + 1);
    assert_eq!((data(&node, 1).as_str(), data(&node, 2).as_str()), ("b", "a"));
    node.wait(7200);
    assert_eq!(data(&node, 2), "a");
    node.wait(7201);
    assert_eq!(data(&node, 2), "b", "two hours are the limit");
}

/// Packets farther apart than an unconfirmed entry is safe for.
#[test]
fn a_flow_that_seldom_speaks() {
    for pause in [4, 30, 600] {
        let mut node = node();
        open(&node, 1);
        node.hand_to("b");
        for _ in 0..2 * FLIP_S / pause {
            node.tick(pause);
            assert_eq!(data(&node, 1), "a", "a packet every {pause} s");
        }
        assert_eq!(node.row(1).state(), RowState::Lookup);
    }
}

#[test]
fn a_ring_that_grows() {
    let mut node = node();
    node.hand_to("b");
    node.change(|service| service.backends[0].state = AdminState::Up);
    let flows: Vec<(u32, String)> = (0..500).map(|flow| (flow, open(&node, flow))).collect();
    let flows: Vec<(u32, &str)> = flows.iter().map(|(flow, backend)| (*flow, backend.as_str())).collect();
    node.change(|service| service.ring.bits = 11);
    assert_eq!(node.rows().len(), 2048);
    wait_sending(&mut node, 120, &flows);
    node.change(|service| service.ring.bits = 13);
    node.wait(FLIP_S - 120);
    wait_sending(&mut node, 240, &flows);
}

#[test]
fn a_ring_that_grows_and_shrinks_again() {
    let mut node = node();
    open(&node, 1);
    node.change(|service| service.ring.bits = 12);
    node.change(|service| service.ring.bits = 10);
    node.hand_to("b");
    node.change(|service| service.ring.bits = 12);
    node.change(|service| service.ring.bits = 10);
    assert_eq!(open(&node, 2), "b");
    wait_sending(&mut node, 2 * FLIP_S, &[(1, "a"), (2, "b")]);
}

/// Rows cannot have several former owners, so a smaller ring moves flows; but not those that are known.
#[test]
fn a_ring_that_shrinks_keeps_the_flows_that_are_known() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    data(&node, 1);
    node.change(|service| service.ring.bits = 11);
    data(&node, 1);
    node.change(|service| service.ring.bits = 10);
    wait_sending(&mut node, 300, &[(1, "a")]);
    node.wait(FLIP_S);
    assert_eq!((data(&node, 1).as_str(), node.packet(1, Kind::Fin)), ("a", Some("a")));
    node.tick(31);
    assert_eq!(node.rows_in(RowState::Settled), node.rows().len());
}

#[test]
fn a_slot_is_given_away_only_after_a_scan() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    data(&node, 1);
    let slot = node.slot("a");
    node.remove("a");
    node.add("d");
    assert_ne!(node.slot("d"), slot, "entries may still name it");
    assert_eq!(data(&node, 1), "b");
    node.tick(1);
    assert!(node.has_retired(), "a packet that was on its way may have made an entry since");
    node.tick(1);
    assert!(!node.has_retired() && node.entry(1).is_none_or(|entry| Some(entry.backend()) != slot));
    node.add("e");
    assert_eq!(node.slot("e"), slot);
}
