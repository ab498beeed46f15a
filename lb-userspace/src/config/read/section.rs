//! A table whose keys are known.

use toml::de::{DeTable, DeValue};

use super::value::Value;
use crate::config::{
    fault::quote,
    names::{listed, nearest},
    report::{Report, Span},
};

/// A table of the document.
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// The header, or the inline table.
    pub(super) span: Span,
    what: &'static str,
}

impl<'a> Section<'a> {
    /// The document's outermost table.
    pub(super) fn root(table: &'a DeTable<'a>, keys: &[&str], report: &mut Report<'_>) -> Self {
        let section = Self { table, span: 0..0, what: "the configuration" };
        section.reject_unknown(keys, report);
        section
    }

    /// The table that `value` is; it may have the given keys. `what` is the section as messages call it.
    pub(super) fn open(value: &Value<'a>, what: &'static str, keys: &[&str], report: &mut Report<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.inner else {
            let help = format!("write `{0} = {{ … }}`, or a header with its name in brackets", value.key);
            return value.wrong_type("a table", &help, report);
        };
        let section = Self { table, span: value.span.clone(), what };
        section.reject_unknown(keys, report);
        Some(section)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Value::new(key.get_ref(), value))
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str, help: &str, report: &mut Report<'_>) -> Option<Value<'a>> {
        let value = self.get(key);
        if value.is_none() {
            report.missing(&self.span, format!("`{key}` is missing in {}", self.what), help);
        }
        value
    }

    fn reject_unknown(&self, keys: &[&str], report: &mut Report<'_>) {
        for (key, _) in self.table.iter().filter(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            let help = match nearest(key.get_ref(), keys.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys here are {}", listed(keys)),
            };
            let name = quote(key.get_ref());
            report.error(&key.span(), format!("unknown key {name} in {}", self.what), help);
        }
    }
}
