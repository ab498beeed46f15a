//! What a configuration can look like, and what happens when it does not.

mod bad_documents;
mod bad_syntax;
mod edits;
mod examples;
mod file;
mod layout;
mod refused_edits;
mod robustness;

use super::Document;
use crate::model::Model;

/// The errors of a document, as they are shown.
fn errors(text: &str) -> String {
    match Document::parse("sluice.toml", text) {
        Ok((_, model)) => panic!("no error in\n{text}\nbut\n{model:?}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// A document that has no errors.
fn valid(text: &str) -> (Document, Model) {
    Document::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"))
}
