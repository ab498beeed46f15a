//! What a configuration can look like, and what happens when it does not.

mod bad_checks_and_addresses;
mod bad_combinations;
mod bad_full_nat;
mod bad_pools;
mod bad_rules;
mod bad_services;
mod bad_syntax;
mod bad_values;
mod edits;
mod examples;
mod file;
mod flows;
mod layout;
mod limits;
mod lists;
mod pools;
mod quic;
mod rates;
mod refused_edits;
mod robustness;
mod rules;
mod sanity;
mod syn;

use proptest::test_runner::{Config, RngSeed};

use super::Document;
use crate::model::Model;

/// The errors of a document, as they are shown.
fn errors(text: &str) -> String {
    match Document::parse("sluice.toml", text) {
        Ok((_, model)) => panic!("no error in\n{text}\nbut\n{model:?}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// Asserts what is shown for a document. Both texts may begin with a line end that is not part of them.
#[track_caller]
fn refuses(text: &str, expected: &str) {
    let shown = errors(text.strip_prefix('\n').unwrap_or(text)) + "\n";
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert_eq!(shown, expected, "\nshown:\n{shown}\nexpected:\n{expected}");
}

/// A document that has no errors.
fn valid(text: &str) -> (Document, Model) {
    Document::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"))
}

/// The same `cases` in every run.
fn deterministic(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(0x0511_1ce0), failure_persistence: None, ..Config::default() }
}
