//! `[[service.backend]]`, `[[pool.backend]]`: a server.

use super::{section::Section, value::Value};
use crate::{
    config::{address, names, report::Report, server_id, written::WrittenBackend},
    model::{AdminState, Backend, Moment},
};

const KEYS: [&str; 7] = ["name", "address", "port", "weight", "state", "drain_until", "server_id"];
const STATES: [(&str, AdminState); 3] =
    [("up", AdminState::Up), ("drain", AdminState::Drain), ("disabled", AdminState::Disabled)];

/// Reads all backends of a service or a pool, which is their `owner`.
pub(super) fn read_all(value: &Value<'_>, owner: &str, report: &mut Report<'_>) -> Vec<WrittenBackend> {
    if value.inner.is_table() {
        let help = format!("write `[[{owner}.backend]]`, with double brackets, in front of each backend");
        return value.wrong_type("an array of tables", &help, report).unwrap_or_default();
    }
    value.elements(report).iter().filter_map(|element| read(element, report)).collect()
}

fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<WrittenBackend> {
    let section = Section::open(value, "a backend", &KEYS, report)?;
    let address = section
        .required("address", "name the address of the server", report)
        .and_then(|value| Some(value.at(value.parsed(address::host, report)?)));
    let name = match section.get("name") {
        Some(value) => value.parsed(names::name, report).map(|name| value.at(name)),
        None => address.clone().map(|address| address.map(|address| address.to_string())),
    };
    let state = section.get("state").and_then(|value| value.one_of(&STATES, report)).unwrap_or(AdminState::Up);
    let server_id = section.get("server_id");
    Some(WrittenBackend {
        span: section.span.clone(),
        name,
        address,
        port: section.get("port").and_then(|value| Some(value.at(value.integer(1..=65535, report)?))),
        weight: section
            .get("weight")
            .and_then(|value| value.integer(0..=Backend::MAX_WEIGHT.into(), report))
            .unwrap_or(Backend::DEFAULT_WEIGHT),
        state,
        drain_until: section.get("drain_until").and_then(|value| drain_until(&value, state, report)),
        has_server_id: server_id.is_some(),
        server_id: server_id.and_then(|value| Some(value.at(value.parsed(server_id::server_id, report)?))),
    })
}

/// When a drain is over. Only a drain can have an end.
fn drain_until(value: &Value<'_>, state: AdminState, report: &mut Report<'_>) -> Option<Moment> {
    if state != AdminState::Drain {
        let message = format!("`drain_until` has no meaning for a backend whose state is `{}`", state.name());
        report.error(&value.span, message, "write `state = \"drain\"`, or remove the key");
    }
    value.moment(report)
}
