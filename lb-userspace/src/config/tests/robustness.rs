//! No text makes the reader or the editor panic, and colours change nothing but colours.

use proptest::prelude::*;

use super::{deterministic, errors, examples};
use crate::{
    api::types::{Edit, ListTerms},
    config::Document,
};

/// An example, and cuts, copies and insertions that damage it.
fn damaged_example() -> impl Strategy<Value = String> {
    let texts: Vec<String> = examples::all().into_iter().map(|(_, text)| text).collect();
    let inserted = prop_oneof![
        "[\\[\\]{}=\"'#,.\\\\\n\t0-9a-z-]{0,4}",
        "\\PC{0,3}",
        prop::sample::select(vec!["[[", "]]", "\"\"\"", "'''", "0x", "1e999", "[service]", "\r", "\u{0}", "::", "/0"])
            .prop_map(String::from),
    ];
    let damage = (any::<prop::sample::Index>(), 0..12_usize, inserted);
    (prop::sample::select(texts), prop::collection::vec(damage, 1..6)).prop_map(|(mut text, damages)| {
        for (index, cut, inserted) in damages {
            let start = text.floor_char_boundary(index.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + cut).min(text.len()));
            text.replace_range(start..end, &inserted);
        }
        text
    })
}

fn reads_without_panic(text: &str) {
    match Document::parse("sluice.toml", text) {
        Err(diagnostics) => {
            assert!(diagnostics.len() > 0);
            assert!(diagnostics.to_string().ends_with("nothing was changed"));
            for diagnostic in diagnostics.iter() {
                assert!(diagnostic.line <= text.split('\n').count() && diagnostic.column > 0);
                assert!(!diagnostic.message.is_empty() && !diagnostic.help.is_empty());
            }
        }
        Ok((document, model)) => {
            for list in ["allow", "deny"] {
                let edit = Edit::ListAdd {
                    list: list.into(),
                    prefixes: vec!["203.0.113.99".into()],
                    terms: ListTerms::default(),
                };
                document.edit(&edit).unwrap_or_else(|error| panic!("{error}"));
            }
            for service in &model.services {
                for backend in &service.backends {
                    let (service, backend) = (service.name.clone(), backend.name.clone());
                    document.edit(&Edit::BackendRemove { service, backend }).unwrap_or_else(|error| panic!("{error}"));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(deterministic(1500))]

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        reads_without_panic(&text);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        reads_without_panic(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_examples_are_read(text in damaged_example()) {
        reads_without_panic(&text);
    }
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a="] {
        assert!(errors(&format!("x = {}", open.repeat(100_000))).contains("error"));
    }
    assert!(errors(&format!("{}b = 1", "a.".repeat(100_000))).contains("error"));
}

#[test]
fn colours_are_only_added() {
    let diagnostics = Document::parse("sluice.toml", "x = 1\n[node]\nsecret = 'x'\n").unwrap_err();
    let coloured = diagnostics.coloured();
    assert!(coloured.contains("\x1b[1;31merror\x1b[0m"));
    let mut plain = String::new();
    for part in coloured.split('\x1b') {
        plain += part.strip_prefix('[').and_then(|part| part.split_once('m')).map_or(part, |(_, rest)| rest);
    }
    assert_eq!(plain, diagnostics.to_string());
}
