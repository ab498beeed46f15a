//! Collects what is wrong with a document.

use std::ops::Range;

use super::{
    diagnostic::{Diagnostic, Diagnostics, Excerpt},
    fault::Fault,
};

/// Bytes of the text.
pub(super) type Span = Range<usize>;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), span: self.span }
    }
}

/// What has been found wrong so far.
pub(super) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    found: Vec<Found>,
    first_syntax_error: Option<usize>,
}

struct Found {
    span: Span,
    kind: Kind,
    fault: Fault,
}

#[derive(PartialEq)]
enum Kind {
    Syntax,
    Missing,
    Meaning,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, found: Vec::new(), first_syntax_error: None }
    }

    /// Notes that the text is not TOML at `span`.
    pub(super) fn syntax(&mut self, span: Span, fault: Fault) {
        let line = self.line(span.start);
        self.first_syntax_error = Some(self.first_syntax_error.map_or(line, |first| first.min(line)));
        self.found.push(Found { span, kind: Kind::Syntax, fault });
    }

    /// Notes that something is not there that `span` needs.
    pub(super) fn missing(&mut self, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Found { span: span.clone(), kind: Kind::Missing, fault: Fault::new(message, help) });
    }

    /// Notes that what stands at `span` is wrong.
    pub(super) fn error(&mut self, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        self.fault(span, Fault::new(message, help));
    }

    /// Notes that what stands at `span` is wrong.
    pub(super) fn fault(&mut self, span: &Span, fault: Fault) {
        self.found.push(Found { span: span.clone(), kind: Kind::Meaning, fault });
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The line, from 1, of a byte of the text.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// What was found, in the order of the text.
    pub(super) fn finish(mut self, origin: &str) -> Diagnostics {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by(|a, b| (a.span.start, &a.fault.message).cmp(&(b.span.start, &b.fault.message)));
        found.retain(|found| self.is_trustworthy(found));
        found.dedup_by(|later, earlier| self.is_consequence(later, earlier));
        Diagnostics { origin: origin.to_owned(), list: found.into_iter().map(|found| self.locate(found)).collect() }
    }

    /// The parser stumbles several times over one broken line.
    fn is_consequence(&self, later: &Found, earlier: &Found) -> bool {
        later.kind == Kind::Syntax
            && earlier.kind == Kind::Syntax
            && self.line(later.span.start) == self.line(earlier.span.start)
    }

    /// Behind a syntax error the parser can only guess what belongs to what, and before it something may look missing
    /// that is merely broken. Such findings would send the operator after errors that are none.
    fn is_trustworthy(&self, found: &Found) -> bool {
        let Some(first) = self.first_syntax_error else { return true };
        match found.kind {
            Kind::Syntax => true,
            Kind::Missing => false,
            Kind::Meaning => self.line(found.span.start) < first,
        }
    }

    fn locate(&self, Found { span, fault, .. }: Found) -> Diagnostic {
        let number = self.line(span.start);
        let start = self.line_starts[number - 1];
        let line = self.text[start..].lines().next().unwrap_or_default();
        let from = line.floor_char_boundary(span.start - start);
        let to = line.ceil_char_boundary(span.end.saturating_sub(start)).max(from);
        Diagnostic {
            line: number,
            column: line[..from].chars().count() + 1,
            message: fault.message,
            help: fault.help,
            excerpt: Excerpt::new(line, from, to),
        }
    }
}
