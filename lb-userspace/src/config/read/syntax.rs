//! Errors of the TOML itself, with advice that its parser does not give.

use toml::de::Error;

use crate::config::{fault::Fault, report::Report};

/// Reports the errors that the parser found.
pub(super) fn report(text: &str, errors: &[Error], report: &mut Report<'_>) {
    for error in errors {
        let span = error.span().unwrap_or_default();
        let span = span.start.min(text.len())..span.end.min(text.len());
        let help = advice(error.message(), text.get(span.clone()).unwrap_or_default());
        report.syntax(span, Fault::new(error.message(), help));
    }
}

fn advice(message: &str, marked: &str) -> String {
    if message.starts_with("string values must be quoted") {
        return format!("write `\"{marked}\"`");
    }
    if message.starts_with("duplicate key") && matches!(marked, "service" | "backend") {
        return "write the header with double brackets: `[[service]]`, `[[service.backend]]`, the service first".into();
    }
    let advice = if message.starts_with("duplicate key") {
        "keep one of the two"
    } else if message.starts_with("unclosed") || message.starts_with("missing comma") {
        "lists and inline tables need a comma between elements and their closing bracket"
    } else {
        "each `key = value` stands on a line of its own; text, addresses and durations are in double quotes"
    };
    advice.into()
}
