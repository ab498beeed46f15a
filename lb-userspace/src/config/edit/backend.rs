//! Backends of a service.

use std::net::IpAddr;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{
    EditError, array,
    table::{self, indentation, text},
};
use crate::model::{AdminState, Backend, Model, Moment, Service};

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
    service: &str,
    new: &New<'_>,
) -> Result<Option<String>, EditError> {
    let (index, service) = find_service(model, service)?;
    if let Some(there) = service.backends.iter().find(|there| new.collides(there)) {
        return if new.is(there) { Ok(None) } else { Err(exists(service, there)) };
    }
    let tables = tree.get_mut("service").ok_or(EditError::ByHand)?;
    let inline = !tables.is_array_of_tables();
    let parent = table::element(tables, index).ok_or(EditError::ByHand)?;
    if inline && !parent.contains_key("backend") {
        table::set(parent, "backend", Array::new().into());
    }
    match parent.entry("backend").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new())) {
        Item::ArrayOfTables(tables) => push_table(tables, new),
        Item::Value(Value::Array(array)) => array::append(array, new.inline_table()),
        _ => return Err(EditError::ByHand),
    }
    Ok(Some(format!("added backend `{}` ({}) to service `{}`", new.called(), new.address, service.name)))
}

/// Removes a backend.
pub(super) fn remove(
    tree: &mut DocumentMut,
    model: &Model,
    service: &str,
    backend: &str,
) -> Result<Option<String>, EditError> {
    let (service_index, service) = find_service(model, service)?;
    let (index, backend) = find_backend(service, backend)?;
    let parent = service_table(tree, service_index).ok_or(EditError::ByHand)?;
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
    let last = if service.backends.len() == 1 { "; it has no backend left" } else { "" };
    Ok(Some(format!("removed backend `{}` from service `{}`{last}", backend.name, service.name)))
}

/// Changes what the operator wants of a backend, and until when a drain lasts.
pub(super) fn set_state(
    tree: &mut DocumentMut,
    model: &Model,
    service: &str,
    backend: &str,
    wanted: (AdminState, Option<Moment>),
) -> Result<Option<String>, EditError> {
    let (service_index, service) = find_service(model, service)?;
    let (index, backend) = find_backend(service, backend)?;
    if (backend.state, backend.drain_until) == wanted {
        return Ok(None);
    }
    let (state, drain_until) = wanted;
    let table = backend_table(tree, service_index, index)?;
    if backend.state != state {
        table::set(table, "state", state.name().into());
    }
    match drain_until {
        // The time was a moment of the model: it has a text that TOML understands.
        Some(until) => {
            table::set(table, "drain_until", until.to_string().parse::<Value>().map_err(|_| EditError::ByHand)?);
        }
        None => table::unset(table, "drain_until"),
    }
    let (name, old, new) = (&backend.name, backend.state.name(), state.name());
    let until = drain_until.map(|until| format!(" until {until}"));
    Ok(Some(match (backend.state == state, until) {
        (false, until) => {
            let until = until.unwrap_or_default();
            format!("changed the state of backend `{name}` of service `{}` from {old} to {new}{until}", service.name)
        }
        (true, Some(until)) => format!("backend `{name}` of service `{}` now drains{until}", service.name),
        (true, None) => format!("backend `{name}` of service `{}` now drains without a deadline", service.name),
    }))
}

/// Changes a backend's weight.
pub(super) fn set_weight(
    tree: &mut DocumentMut,
    model: &Model,
    service: &str,
    backend: &str,
    weight: u32,
) -> Result<Option<String>, EditError> {
    let (service_index, service) = find_service(model, service)?;
    let (index, backend) = find_backend(service, backend)?;
    if backend.weight == weight {
        return Ok(None);
    }
    table::set(backend_table(tree, service_index, index)?, "weight", i64::from(weight).into());
    let (name, old) = (&backend.name, backend.weight);
    Ok(Some(format!("changed the weight of backend `{name}` of service `{}` from {old} to {weight}", service.name)))
}

fn find_service<'a>(model: &'a Model, name: &str) -> Result<(usize, &'a Service), EditError> {
    let found = model.services.iter().enumerate().find(|(_, service)| service.name == name);
    found.ok_or_else(|| EditError::UnknownService {
        service: name.to_owned(),
        known: model.services.iter().map(|service| service.name.clone()).collect(),
    })
}

/// The backend with this name, or else the only one with this address.
fn find_backend<'a>(service: &'a Service, wanted: &str) -> Result<(usize, &'a Backend), EditError> {
    let all = || service.backends.iter().enumerate();
    if let Some(found) = all().find(|(_, backend)| backend.name == wanted) {
        return Ok(found);
    }
    let address: Option<IpAddr> = wanted.parse().ok();
    let found: Vec<_> = all().filter(|(_, backend)| Some(backend.address) == address).collect();
    let names = |backends: &[(usize, &Backend)]| backends.iter().map(|(_, backend)| backend.name.clone()).collect();
    let service_name = service.name.clone();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(EditError::UnknownBackend {
            service: service_name,
            backend: wanted.to_owned(),
            known: names(&all().collect::<Vec<_>>()),
        }),
        several => Err(EditError::AmbiguousBackend {
            service: service_name,
            address: wanted.to_owned(),
            names: names(several),
        }),
    }
}

fn service_table(tree: &mut DocumentMut, index: usize) -> Option<&mut dyn TableLike> {
    table::element(tree.get_mut("service")?, index)
}

fn backend_table(tree: &mut DocumentMut, service: usize, backend: usize) -> Result<&mut dyn TableLike, EditError> {
    let backends = service_table(tree, service).and_then(|service| service.get_mut("backend"));
    backends.and_then(|backends| table::element(backends, backend)).ok_or(EditError::ByHand)
}

fn exists(service: &Service, there: &Backend) -> EditError {
    let port = there.port.map(|port| format!(" port {port}")).unwrap_or_default();
    EditError::BackendExists {
        service: service.name.clone(),
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
