//! Errors of a configuration, shown the way rustc shows its own.

use std::fmt;

/// How many diagnostics are shown: a file that is not a configuration at all has thousands.
const SHOWN: usize = 50;

/// One error of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    pub(super) excerpt: Excerpt,
}

/// The part of a line that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    before: String,
    marked: String,
    after: String,
}

/// All errors of a configuration, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    pub(super) origin: String,
    pub(super) list: Vec<Diagnostic>,
}

impl std::error::Error for Diagnostics {}

impl Diagnostics {
    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "diagnostics without an error do not occur")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The diagnostics, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The text for a terminal that shows colours; [`fmt::Display`] is the text without.
    pub fn coloured(&self) -> String {
        self.render(&Palette { error: "\x1b[1;31m", help: "\x1b[1;36m", strong: "\x1b[1m", plain: "\x1b[0m" })
    }

    fn render(&self, palette: &Palette) -> String {
        let mut text = String::new();
        for diagnostic in self.list.iter().take(SHOWN) {
            diagnostic.render(&self.origin, palette, &mut text);
        }
        text + &self.closing()
    }

    fn closing(&self) -> String {
        let shown = if self.len() > SHOWN { format!(" (the first {SHOWN} are shown)") } else { String::new() };
        let plural = if self.len() == 1 { "" } else { "s" };
        format!("{} error{plural}{shown}; nothing was changed", self.len())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Palette { error: "", help: "", strong: "", plain: "" }))
    }
}

/// What switches colours on and off.
struct Palette {
    error: &'static str,
    help: &'static str,
    strong: &'static str,
    plain: &'static str,
}

impl Diagnostic {
    fn render(&self, origin: &str, palette: &Palette, text: &mut String) {
        let Palette { error, help, strong, plain } = palette;
        let Self { line, column, message, excerpt, .. } = self;
        let gutter = " ".repeat(line.to_string().len());
        let margin = excerpt.before.replace(|c: char| c != '\t', " ");
        let carets = "^".repeat(excerpt.marked.chars().count().max(1));
        *text += &format!("{strong}{origin}:{line}:{column}: {error}error{plain}{strong}: {message}{plain}\n");
        *text += &format!("   {line} | {}{}{}\n", excerpt.before, excerpt.marked, excerpt.after);
        *text += &format!("   {gutter} | {margin}{error}{carets}{plain}\n");
        *text += &format!("   {help}help{plain}: {}\n", self.help);
    }
}

impl Excerpt {
    /// Characters of context on either side: a list may be one line of a megabyte.
    const CONTEXT: usize = 100;

    /// The excerpt of `line` that marks the bytes `start..end` of it.
    pub(super) fn new(line: &str, start: usize, end: usize) -> Self {
        let before: Vec<char> = line[..start].chars().collect();
        let clipped = before.len().saturating_sub(Self::CONTEXT);
        let ellipsis = if clipped > 0 { "…" } else { "" };
        Self {
            before: format!("{ellipsis}{}", printable(before[clipped..].iter().copied())),
            marked: clip(&line[start..end]),
            after: clip(&line[end..]),
        }
    }
}

fn clip(text: &str) -> String {
    let ellipsis = if text.chars().nth(Excerpt::CONTEXT).is_some() { "…" } else { "" };
    format!("{}{ellipsis}", printable(text.chars().take(Excerpt::CONTEXT)))
}

/// Text that cannot steer the terminal it is shown on.
fn printable(text: impl Iterator<Item = char>) -> String {
    text.map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
