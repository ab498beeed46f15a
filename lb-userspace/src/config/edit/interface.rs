//! Interfaces that the program is attached to.

use toml_edit::DocumentMut;

use super::{EditError, array, list::array_of};
use crate::model::Model;

/// Adds an interface.
pub(super) fn attach(tree: &mut DocumentMut, model: &Model, interface: &str) -> Result<Option<String>, EditError> {
    if model.node.interfaces.iter().any(|name| name == interface) {
        return Ok(None);
    }
    array::append(array_of(tree, "node", "interfaces").ok_or(EditError::ByHand)?, interface);
    Ok(Some(format!("added the interface `{interface}`")))
}

/// Removes an interface.
pub(super) fn detach(tree: &mut DocumentMut, model: &Model, interface: &str) -> Result<Option<String>, EditError> {
    let Some(index) = model.node.interfaces.iter().position(|name| name == interface) else {
        return Err(EditError::UnknownInterface {
            interface: interface.to_owned(),
            known: model.node.interfaces.clone(),
        });
    };
    array::remove(array_of(tree, "node", "interfaces").ok_or(EditError::ByHand)?, index);
    Ok(Some(format!("removed the interface `{interface}`")))
}
