//! Backends of a service or a pool.

use std::net::IpAddr;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value};

use super::{
    EditError, array,
    owner::Owner,
    table::{self, indentation, text},
};
use crate::model::{AdminState, Backend, Model};

/// A backend to add.
pub(super) struct New<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) weight: Option<u32>,
}

/// Adds a backend behind the others.
pub(super) fn add(
    tree: &mut DocumentMut,
    model: &Model,
    owner: &str,
    new: &New<'_>,
) -> Result<Option<String>, EditError> {
    let owner = Owner::find(model, owner)?;
    if let Some(there) = owner.backends.iter().find(|there| new.collides(there)) {
        return if new.is(there) { Ok(None) } else { Err(exists(&owner, there)) };
    }
    let tables = tree.get_mut(owner.section()).ok_or(EditError::ByHand)?;
    let inline = !tables.is_array_of_tables();
    let parent = table::named(tables, owner.name).ok_or(EditError::ByHand)?;
    if inline && !parent.contains_key("backend") {
        table::set(parent, "backend", Array::new().into());
    }
    match parent.entry("backend").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new())) {
        Item::ArrayOfTables(tables) => push_table(tables, new),
        Item::Value(Value::Array(array)) => array::append(array, new.inline_table()),
        _ => return Err(EditError::ByHand),
    }
    Ok(Some(format!("added backend `{}` ({}) to {}", new.called(), new.address, owner.with_users())))
}

/// Removes a backend.
pub(super) fn remove(
    tree: &mut DocumentMut,
    model: &Model,
    owner: &str,
    backend: &str,
) -> Result<Option<String>, EditError> {
    let owner = Owner::find(model, owner)?;
    let (index, backend) = owner.backend(backend)?;
    let parent = owner.table(tree).ok_or(EditError::ByHand)?;
    match parent.get_mut("backend") {
        Some(Item::ArrayOfTables(tables)) => {
            let removed = tables.remove(index);
            if tables.is_empty() {
                parent.remove("backend");
            }
            table::keep_comments_above(&removed, tree);
        }
        Some(Item::Value(Value::Array(array))) => array::remove(array, index),
        _ => return Err(EditError::ByHand),
    }
    let last = if owner.backends.len() == 1 { "; it has no backend left" } else { "" };
    Ok(Some(format!("removed backend `{}` from {}{last}", backend.name, owner.with_users())))
}

/// Changes what the operator wants of a backend.
pub(super) fn set_state(
    tree: &mut DocumentMut,
    model: &Model,
    owner: &str,
    backend: &str,
    state: AdminState,
) -> Result<Option<String>, EditError> {
    let owner = Owner::find(model, owner)?;
    let (index, backend) = owner.backend(backend)?;
    if backend.state == state {
        return Ok(None);
    }
    set(tree, &owner, index, "state", state.name().into())?;
    let (name, old, new) = (&backend.name, backend.state.name(), state.name());
    Ok(Some(format!("changed the state of backend `{name}` of {} from {old} to {new}", owner.with_users())))
}

/// Changes a backend's weight.
pub(super) fn set_weight(
    tree: &mut DocumentMut,
    model: &Model,
    owner: &str,
    backend: &str,
    weight: u32,
) -> Result<Option<String>, EditError> {
    let owner = Owner::find(model, owner)?;
    let (index, backend) = owner.backend(backend)?;
    if backend.weight == weight {
        return Ok(None);
    }
    set(tree, &owner, index, "weight", i64::from(weight).into())?;
    let (name, old) = (&backend.name, backend.weight);
    Ok(Some(format!("changed the weight of backend `{name}` of {} from {old} to {weight}", owner.with_users())))
}

fn set(tree: &mut DocumentMut, owner: &Owner<'_>, backend: usize, key: &str, value: Value) -> Result<(), EditError> {
    let backends = owner.table(tree).and_then(|table| table.get_mut("backend"));
    let backend = backends.and_then(|backends| table::element(backends, backend)).ok_or(EditError::ByHand)?;
    table::set(backend, key, value);
    Ok(())
}

fn exists(owner: &Owner<'_>, there: &Backend) -> EditError {
    let port = there.port.map(|port| format!(" port {port}")).unwrap_or_default();
    EditError::BackendExists {
        owner: owner.called(),
        name: there.name.clone(),
        what: format!("{}{port}, weight {}", there.address, there.weight),
    }
}

/// Adds a table that looks like the last one.
fn push_table(tables: &mut ArrayOfTables, new: &New<'_>) {
    let mut table = Table::new();
    let (mut header, mut indent) = ("\n".to_owned(), String::new());
    if let Some(last) = tables.iter().last() {
        let first_line = text(last.decor().prefix());
        let empty_line = if first_line.starts_with(['\n', '\r']) { "\n" } else { "" };
        header = format!("{empty_line}{}", indentation(last.decor()));
        indent = last.key("address").map(|key| indentation(key.leaf_decor())).unwrap_or_default();
    }
    table.decor_mut().set_prefix(header);
    for (key, value) in new.values() {
        table.insert(key, Item::Value(value));
        if let Some(mut key) = table.key_mut(key) {
            key.leaf_decor_mut().set_prefix(indent.as_str());
        }
    }
    tables.push(table);
}

impl New<'_> {
    fn called(&self) -> String {
        self.name.map_or_else(|| self.address.to_string(), ToOwned::to_owned)
    }

    fn collides(&self, there: &Backend) -> bool {
        self.called() == there.name || (self.address, self.port) == (there.address, there.port)
    }

    fn is(&self, there: &Backend) -> bool {
        self.name.is_none_or(|name| name == there.name)
            && (self.address, self.port) == (there.address, there.port)
            && self.weight.is_none_or(|weight| weight == there.weight)
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let mut values = Vec::new();
        values.extend(self.name.map(|name| ("name", name.into())));
        values.push(("address", self.address.to_string().into()));
        values.extend(self.port.map(|port| ("port", i64::from(port).into())));
        values.extend(self.weight.map(|weight| ("weight", i64::from(weight).into())));
        values
    }

    fn inline_table(&self) -> InlineTable {
        self.values().into_iter().collect()
    }
}
