//! `quic`: how the servers of a service form their connection ids.

use super::{section::Section, value::Value};
use crate::{config::report::Report, model::ConnectionIds};

const KEYS: [&str; 2] = ["server_id_bytes", "config_rotation"];
const LENGTH_HELP: &str = "write how many bytes of a connection id name the server, like `server_id_bytes = 2`";

/// Reads the settings. The length must be there, because servers and Sluice must agree on it.
pub(super) fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<ConnectionIds> {
    let range = |from: u8, to: u8| i64::from(from)..=i64::from(to);
    let (lengths, rotations) = (ConnectionIds::SERVER_ID_BYTES, ConnectionIds::ROTATIONS);
    let section = Section::open(value, "`quic`", &KEYS, report)?;
    let length = section.required("server_id_bytes", LENGTH_HELP, report);
    let length = length.and_then(|value| value.integer(range(*lengths.start(), *lengths.end()), report));
    let rotation = match section.get("config_rotation") {
        Some(value) => value.integer(range(*rotations.start(), *rotations.end()), report),
        None => Some(0),
    };
    Some(ConnectionIds { rotation: rotation?, server_id_bytes: length? })
}
