//! Time, and the scan that lets rows settle.

use lb_common::RowState;
use tests::sim::Kind;

use super::{FLIP_S, data, node, open, wait_sending};

/// How long a connection that says nothing is remembered.
const KEEP_S: u64 = 7200;

/// Times are seconds modulo 65,535: a change a minute before they begin again.
#[test]
fn the_ages_of_entries_begin_again() {
    let mut node = node();
    node.tick(2 * 65_535 - 60 - node.now_s());
    open(&node, 1);
    node.hand_to("b");
    open(&node, 2);
    assert_eq!(node.packet(3, Kind::Syn), Some("b"));
    data(&node, 1);
    wait_sending(&mut node, 300, &[(1, "a"), (2, "b")]);
    node.tick(KEEP_S);
    assert_eq!((data(&node, 1).as_str(), data(&node, 2).as_str()), ("a", "b"));
    assert_eq!(node.entry(3), None, "removed at its time, and not nine hours later");
}

/// A packet that refreshes an entry in the moment in which the scan finds it too old.
#[test]
fn a_packet_that_comes_while_the_scan_removes_its_entry() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    data(&node, 1);
    data(&node, 1);
    node.tick(FLIP_S);
    node.tick(KEEP_S - FLIP_S);
    assert_eq!(node.row(1).state(), RowState::Lookup);
    node.tick_meeting(1, |node, _| assert_eq!(data(node, 1), "a"));
    assert_eq!(node.row(1).state(), RowState::Lookup, "the row still has a flow that is elsewhere");
    assert_eq!(data(&node, 1), "a");
}

/// The same for a place whose backend has gone: the packet makes the entry another's.
#[test]
fn a_packet_that_takes_the_place_of_an_entry_that_the_scan_removes() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    open(&node, 2);
    node.hand_to("c");
    node.remove("b");
    node.tick_meeting(1, |node, _| assert_eq!(data(node, 2), "a"));
    assert_eq!(node.name(node.entry(2).unwrap().backend()), Some("a"));
    assert_eq!(node.census().flows.values().sum::<u64>(), 1, "and it is counted");
}

/// The scan before the change has seen nothing of what came after it.
#[test]
fn a_row_does_not_settle_by_a_scan_that_is_older_than_its_change() {
    let mut node = node();
    node.hand_to("b");
    open(&node, 1);
    node.hand_to("a");
    assert_eq!(node.row(1).state(), RowState::Lookup);
    node.tick(1);
    let unused = (2..).find(|&flow| node.row_index(flow) != node.row_index(1)).unwrap();
    assert_eq!(node.row(unused).state(), RowState::Lookup, "a packet may still have been on its way");
    node.tick(1);
    assert_eq!(node.row(unused).state(), RowState::Settled);
    assert_eq!(node.row(1).state(), RowState::Lookup);
    assert_eq!(data(&node, 1), "b");
}

/// Half a table of entries makes rows flip after a quarter of an hour.
#[test]
fn a_crowded_table_is_less_patient() {
    let mut node = super::with_sets(1);
    node.hand_to("b");
    (0..5).for_each(|flow| drop(open(&node, flow)));
    node.wait(899);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len());
    node.wait(2);
    assert!(node.census().is_crowded);
    assert_eq!(node.rows_in(RowState::Moving), 0);
}
