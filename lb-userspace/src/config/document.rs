//! The configuration as written.

use super::{check, diagnostic::Diagnostics, read, report::Report};
use crate::model::Model;

/// A configuration without errors, as written. It does not know which file it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(super) origin: String,
    pub(super) text: String,
}

impl Document {
    /// Reads a configuration. `origin` is what messages call the text: usually the path of its file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once. A document that is not TOML has its syntax errors reported, and of the others
    /// those before the first of them, because the parser can only guess behind it.
    pub fn parse(origin: &str, text: &str) -> Result<(Self, Model), Diagnostics> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut report = Report::new(text);
        let mut written = read::document(text, &mut report);
        check::share_pools(&mut written, &mut report);
        check::document(&written, &mut report);
        let model = written.mean().filter(|_| report.is_empty()).ok_or_else(|| report.finish(origin))?;
        Ok((Self { origin: origin.to_owned(), text: text.to_owned() }, model))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}
