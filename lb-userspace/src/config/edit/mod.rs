//! Changes that commands make to a document.
//!
//! A command names things the way the model does; the change is made to the text, through a tree that keeps comments
//! and layout. The result is read like any other document, so that no command can make a configuration that a file
//! could not hold. An edit that would change nothing is not an error: commands can be repeated.

mod array;
mod backend;
mod error;
mod interface;
mod list;
mod owner;
mod table;

use toml_edit::DocumentMut;

pub use error::EditError;

use super::{document::Document, server_id};
use crate::{api::types::Edit, model::Model};

/// A document after an edit.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The new document.
    pub document: Document,
    /// What it means.
    pub model: Model,
    /// What was done, as a sentence; `None` if it was so already.
    pub done: Option<String>,
}

impl Document {
    /// Makes one change. Comments and layout stay; a removed backend takes the comment directly above it along.
    ///
    /// # Errors
    ///
    /// See [`EditError`]; this document is as it was in any case.
    pub fn edit(&self, edit: &Edit) -> Result<Edited, EditError> {
        let (_, model) = Self::parse(&self.origin, &self.text)?;
        let mut tree: DocumentMut = self.text.parse().map_err(|_| EditError::ByHand)?;
        let Some(done) = perform(&mut tree, &model, edit)? else {
            return Ok(Edited { document: self.clone(), model, done: None });
        };
        let (document, edited) = Self::parse(&self.origin, &self.with_line_ends(&tree.to_string()))?;
        if edited == model {
            return Err(EditError::ByHand);
        }
        Ok(Edited { document, model: edited, done: Some(done) })
    }

    /// The tree writes line ends of its own kind; a document from elsewhere keeps its kind.
    fn with_line_ends(&self, edited: &str) -> String {
        let unix = edited.replace("\r\n", "\n");
        if self.text.contains("\r\n") { unix.replace('\n', "\r\n") } else { unix }
    }
}

fn perform(tree: &mut DocumentMut, model: &Model, edit: &Edit) -> Result<Option<String>, EditError> {
    match edit {
        Edit::BackendAdd { service, name, address, port, weight, server_id } => {
            let server_id = server_id.as_deref().map(server_id::server_id).transpose().map_err(EditError::ServerId)?;
            let name = name.as_deref();
            let new = backend::New { name, address: *address, port: *port, weight: *weight, server_id };
            backend::add(tree, model, service, &new)
        }
        Edit::BackendRemove { service, backend } => backend::remove(tree, model, service, backend),
        Edit::BackendState { service, backend, state, drain_until } => {
            backend::set_state(tree, model, service, backend, (*state, *drain_until))
        }
        Edit::BackendWeight { service, backend, weight } => backend::set_weight(tree, model, service, backend, *weight),
        Edit::ListAdd { list, prefixes, terms } => list::add(tree, model, list, prefixes, terms),
        Edit::ListRemove { list, prefixes } => list::remove(tree, model, list, prefixes),
        Edit::Attach { interface } => interface::attach(tree, model, interface),
        Edit::Detach { interface } => interface::detach(tree, model, interface),
    }
}
