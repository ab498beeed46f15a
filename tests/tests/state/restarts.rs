//! Another daemon over the tables that a former one has left.

use lb_common::RowState;
use lb_userspace::{model::AdminState, plan::Health};

use super::{FLIP_S, data, node, open, wait_sending};

#[test]
fn a_daemon_that_takes_over_keeps_every_flow() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    open(&node, 2);
    node.tick(60);
    let rows = node.rows().to_vec();
    node.restart();
    assert_eq!(node.rows(), rows, "nothing is to be changed");
    assert_eq!((data(&node, 1).as_str(), data(&node, 2).as_str()), ("a", "b"));
    node.restart();
    node.set_health("c", Health::Up);
    node.hand_to("c");
    assert_eq!(open(&node, 3), "c");
    wait_sending(&mut node, 2 * FLIP_S, &[(1, "a"), (2, "b"), (3, "c")]);
}

/// The new daemon does not know for how long rows have been moving.
#[test]
fn a_daemon_that_takes_over_waits_the_full_time_again() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    node.wait(FLIP_S - 10);
    node.restart();
    node.wait(FLIP_S - 10);
    assert_eq!(node.rows_in(RowState::Moving), node.rows().len());
    assert_eq!(data(&node, 1), "a");
    node.wait(10);
    assert_eq!(node.rows_in(RowState::Moving), 0);
}

#[test]
fn a_backend_that_was_down_is_not_mistaken_for_alive() {
    let mut node = node();
    node.set_state("b", AdminState::Up);
    let flow = (0..).find(|&flow| node.name(node.row(flow).current()) == Some("b")).unwrap();
    node.set_health("b", Health::Gone);
    node.restart();
    assert_eq!(open(&node, flow), "a");
    node.set_health("b", Health::Gone);
    assert_eq!(data(&node, flow), "a");
}

/// The former daemon's knowledge of slots that wait for a scan is lost with it; the entries are not.
#[test]
fn a_daemon_that_takes_over_gives_no_slot_away_that_entries_name() {
    let mut node = node();
    open(&node, 1);
    node.hand_to("b");
    data(&node, 1);
    let slot = node.slot("a").unwrap();
    node.remove("a");
    node.restart();
    node.add("d");
    assert_eq!(node.slot("d"), Some(slot));
    assert!(node.entry(1).is_none_or(|entry| entry.backend() != slot));
    assert_eq!(data(&node, 1), "b");
}

/// Long enough for the entries' times to come around.
#[test]
fn a_daemon_that_was_away_for_half_a_day() {
    for hours in [5, 9, 10, 18, 19, 40] {
        let mut node = node();
        open(&node, 1);
        node.hand_to("b");
        data(&node, 1);
        data(&node, 1);
        for _ in 0..hours {
            node.pass(FLIP_S);
            assert_eq!(data(&node, 1), "a", "{hours} h");
        }
        node.restart();
        wait_sending(&mut node, 2 * FLIP_S, &[(1, "a")]);
    }
}
