//! The packet table, through the library and through the loaded program.

use std::collections::BTreeSet;

use anyhow::Result;
use lb_common::DropReason;
use tests::{
    cases::{self, Case, Outcome, host, kernel, samples},
    packet::oracle,
};

/// Fails with all complaints at once.
fn assert_none(complaints: &[String], cases: usize) {
    assert!(complaints.is_empty(), "{} of {cases} cases failed:\n\n{}", complaints.len(), complaints.join("\n"));
}

fn complaint(case: &Case, run: &str, text: &str) -> String {
    format!("{} ({run}), {} bytes in by interface {}:\n{text}", case.name, case.frame.len(), case.ingress)
}

#[test]
fn the_library_does_what_the_table_says() {
    let table = cases::table();
    let complaints = table.iter().filter_map(|case| {
        let world = case.world();
        let found = host::run(case, &world).complaint(&case.expected(&world));
        found.map(|text| complaint(case, "host", &text))
    });
    assert_none(&complaints.collect::<Vec<_>>(), table.len());
}

#[test]
fn the_loaded_program_does_what_the_table_says() -> Result<()> {
    let table: Vec<Case> = cases::table().into_iter().filter(|case| case.host_only.is_none()).collect();
    let complaints = kernel::with_runner(|runner| {
        let mut complaints = Vec::new();
        for case in &table {
            let world = case.world();
            let expected = case.expected(&world).without_egress();
            let found = runner.run(case, &world)?.complaint(&expected);
            complaints.extend(found.map(|text| complaint(case, "kernel", &text)));
        }
        Ok(complaints)
    })?;
    assert_none(&complaints, table.len());
    Ok(())
}

#[test]
fn every_drop_of_the_table_is_recorded_while_somebody_looks() -> Result<()> {
    let drops = |case: &Case| case.is_dropped() && case.host_only.is_none();
    let table: Vec<Case> = cases::table().into_iter().filter(drops).collect();
    let complaints = kernel::with_runner(|runner| {
        let mut complaints = Vec::new();
        for case in &table {
            let mut world = case.world();
            samples::looked_at(&mut world.snapshot);
            let (host, kernel) = (host::run(case, &world), runner.run(case, &world)?);
            complaints.extend(kernel.complaint(&host).map(|text| complaint(case, "kernel, not as on the host", &text)));
            let recorded: Vec<_> = host.counts.samples.iter().map(|sample| (sample.reason, sample.weight)).collect();
            let dropped: Vec<_> = host.counts.drops.keys().map(|reason| (*reason as u32, 1)).collect();
            if recorded != dropped {
                complaints.push(complaint(case, "host", &format!("  recorded {recorded:?}, dropped {dropped:?}")));
            }
        }
        Ok(complaints)
    })?;
    assert_none(&complaints, table.len());
    Ok(())
}

#[test]
fn every_packet_that_leaves_is_valid_if_it_came_valid() {
    let mut checked = 0;
    for case in cases::table() {
        let (Outcome::Transmit(frame) | Outcome::Redirect(_, frame)) = &case.outcome else { continue };
        if oracle::check(&case.frame).is_ok() {
            oracle::check(frame).unwrap_or_else(|error| panic!("{}: {error:#}", case.name));
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} packets of the table leave");
}

#[test]
fn protecting_the_node_changes_nothing_for_services() {
    let of_services = |case: &Case| case.outcome != Outcome::Pass;
    let table: Vec<Case> = cases::table().into_iter().filter(of_services).collect();
    let complaints = table.iter().filter_map(|case| {
        let protected = case.clone().protected();
        let world = protected.world();
        let found = host::run(&protected, &world).complaint(&case.expected(&world));
        found.map(|text| complaint(case, "host", &text))
    });
    assert_none(&complaints.collect::<Vec<_>>(), table.len());
}

#[test]
fn names_are_unique() {
    let mut names = BTreeSet::new();
    for case in cases::table() {
        assert!(names.insert(case.name.clone()), "two cases are called {:?}", case.name);
    }
}

#[test]
fn every_drop_reason_has_a_case() {
    let table = cases::table();
    for &reason in DropReason::ALL {
        let is_shown = table.iter().any(|case| case.outcome == Outcome::Drop(reason));
        assert!(is_shown, "no case is dropped as {}", reason.name());
    }
}
