//! Strangers who fill the flow table during a drain.

use lb_common::{Entry, RowState};
use tests::sim::{Kind, Node};

use super::{FLIP_S, data, open, wait_sending, with_sets};

/// The first of the numbers that a flood's packets have.
const STRANGERS: u32 = 1_000_000;

/// Opens connections, begins a drain, and floods for a minute; then nobody may have moved.
fn drain_under(flood: &[Kind]) -> Node {
    // 512 entries, and ten times as many strangers every second.
    let mut node = with_sets(64);
    let older: Vec<u32> = (0..100).collect();
    older.iter().for_each(|&flow| drop(open(&node, flow)));
    node.hand_to("b");
    let newer: Vec<u32> = (100..150).collect();
    newer.iter().for_each(|&flow| assert_eq!(open(&node, flow), "b"));
    let mut stranger = STRANGERS;
    let mut during = Vec::new();
    for second in 0..60 {
        for _ in 0..5000 {
            for &kind in flood {
                let _ = node.packet(stranger, kind);
            }
            stranger += 1;
        }
        // Somebody real comes every second, and everybody speaks twice a minute.
        during.push((200 + second, open(&node, 200 + second)));
        node.tick(1);
        if second % 30 == 0 {
            older.iter().for_each(|&flow| assert_eq!(data(&node, flow), "a"));
            newer.iter().for_each(|&flow| assert_eq!(data(&node, flow), "b"));
        }
        during.iter().for_each(|(flow, backend)| assert_eq!(data(&node, *flow), *backend, "flow {flow}"));
    }
    older.iter().for_each(|&flow| assert_eq!(data(&node, flow), "a"));
    newer.iter().for_each(|&flow| assert_eq!(data(&node, flow), "b"));
    node
}

#[test]
fn a_flood_of_syns_during_a_drain() {
    let node = drain_under(&[Kind::Syn]);
    assert!((100..150).all(|flow| node.entry(flow).is_some_and(Entry::is_confirmed)));
}

#[test]
fn a_flood_of_acks_during_a_drain() {
    let node = drain_under(&[Kind::Data]);
    assert!((100..150).all(|flow| node.entry(flow).is_some_and(Entry::is_confirmed)));
}

#[test]
fn a_flood_of_pairs_of_syn_and_ack_during_a_drain() {
    let mut node = drain_under(&[Kind::Syn, Kind::Data]);
    assert_eq!(node.entries(), 512, "strangers who answer look like friends");
    assert!(node.census().is_crowded && !node.census().overflowed_s.is_empty());
    node.wait(890);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len(), "the drain waits for who found no room");
    node.wait(20);
    assert_eq!(node.rows_in(RowState::Moving), 0);
    (100..150).for_each(|flow| assert_eq!(data(&node, flow), "b"));
}

#[test]
fn a_flood_of_pairs_of_acks_during_a_drain() {
    drain_under(&[Kind::Data, Kind::Data]);
}

#[test]
fn a_flood_of_two_kinds_during_a_drain() {
    drain_under(&[Kind::Syn, Kind::Syn, Kind::Data, Kind::Data]);
}

/// Who sent one packet and nothing since is nobody, once the row that it might have been an old flow of has flipped.
#[test]
fn strangers_of_a_flood_are_forgotten_when_rows_have_flipped() {
    for kind in [Kind::Syn, Kind::Data] {
        let mut node = drain_under(&[kind]);
        let strangers = |node: &Node| node.entries() - (0..300).filter(|&flow| node.entry(flow).is_some()).count();
        node.wait(FLIP_S - 60);
        assert!(strangers(&node) > 100, "one of them might still be a flow that seldom speaks");
        (0..100).for_each(|flow| assert_eq!(data(&node, flow), "a"));
        node.wait(61);
        assert_eq!(strangers(&node), 0, "{kind:?}");
        wait_sending(&mut node, FLIP_S, &[(0, "a"), (99, "a")]);
    }
}

/// Settled rows keep nothing, so a flood of them leaves nothing behind.
#[test]
fn a_flood_without_a_change_leaves_no_trace() {
    let node = with_sets(64);
    for stranger in 0..5000 {
        assert_eq!(open(&node, STRANGERS + stranger), "a");
    }
    assert_eq!(node.entries(), 0);
}

/// Without room, a new flow is made an old one: the drain takes longer, and nothing breaks.
#[test]
fn a_full_table_slows_a_drain_down_and_breaks_nothing() {
    let mut node = with_sets(1);
    (0..20).for_each(|flow| drop(open(&node, flow)));
    node.hand_to("b");
    let remembered: Vec<(u32, &str)> = (20..28).map(|flow| (flow, "b")).collect();
    remembered.iter().for_each(|&(flow, backend)| assert_eq!(open(&node, flow), backend));
    assert_eq!(open(&node, 28), "a", "there is no room for it");
    let old: Vec<(u32, &str)> = (0..20).chain([28]).map(|flow| (flow, "a")).collect();
    let all: Vec<(u32, &str)> = remembered.iter().chain(&old).copied().collect();
    wait_sending(&mut node, 2 * FLIP_S, &all);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len(), "old flows could not be remembered");

    // Those without a place end; once nobody has been turned away for the time of a flip, the drain goes on.
    wait_sending(&mut node, FLIP_S + 60, &remembered);
    assert_eq!(node.rows_in(RowState::Moving), 0);
    assert_eq!(open(&node, 29), "b");
    wait_sending(&mut node, FLIP_S, &remembered);
}

/// A place is taken from the living only if there is no other.
#[test]
fn empty_places_are_taken_first() {
    let mut node = with_sets(1);
    open(&node, 1);
    open(&node, 2);
    node.hand_to("b");
    // Not confirmed yet, closing, and long ago.
    data(&node, 1);
    data(&node, 2);
    let _ = node.packet(2, Kind::Fin);
    node.tick(10);
    (10..16).for_each(|flow| assert_eq!(open(&node, flow), "b"));
    assert!(node.entry(1).is_some() && node.entry(2).is_some());
    assert_eq!(open(&node, 16), "b");
    assert!(node.entry(1).is_none() != node.entry(2).is_none());
}
