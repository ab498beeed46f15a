//! The configuration file: from text to [`Model`], and back into text when a command changes it.
//!
//! Problem: an operator who fixes a file at night must not learn of its errors one by one, and a daemon must not find
//! out in the middle of a change that half of it makes no sense. Mechanism: the text is parsed once into a tree that
//! knows where each value stands; `read` turns the tree into what was written, `check` looks at what only the whole
//! can tell, and both put what they find into one report. Only an empty report yields a [`Model`], so nothing behind
//! it checks again. An edit changes the text, keeps comments and layout, and goes the same way as any other text.
//! Trade-off: an edit parses the document three times (3 ms for 100 backends and 0.6 s for 100,000 prefixes, in a build
//! without optimization), and in return there is one set of rules.

mod address;
mod check;
mod diagnostic;
mod document;
mod edit;
mod fault;
mod file;
mod names;
pub(crate) mod prefix;
mod read;
mod report;
mod server_id;
mod written;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use document::Document;
pub use edit::{EditError, Edited};
pub use fault::Fault;
pub(crate) use fault::quote;
pub use file::{ReadError, read, write};
pub(crate) use names::{listed, nearest};

#[cfg(doc)]
use crate::model::Model;
