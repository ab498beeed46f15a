//! `sluice backends`.

use clap::{Args, builder::NonEmptyStringValueParser};
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    table::{self, Column},
    units::{bytes, endpoint, percent},
};
use crate::api::types::BackendStatus;

/// Shown if a backend has one.
const SERVER_ID: Column = Column::Text("SERVER ID");
/// Where it stands: behind the address.
const SERVER_ID_AT: usize = 3;

const COLUMNS: [Column; 10] = [
    Column::Text("SERVICE"),
    Column::Text("NAME"),
    Column::Text("ADDRESS"),
    Column::Text("STATE"),
    Column::Number("WEIGHT"),
    Column::Number("SHARE"),
    Column::Number("PACKETS"),
    Column::Number("BYTES"),
    Column::Number("FLOWS"),
    Column::Text("REASON"),
];

const EXAMPLES: &str = "\
Examples:
  sluice backends
  sluice backends web
  sluice --json backends | jq -r '.[] | select(.state == \"down\") | .name'";

/// Show the backends, their health and their share of the traffic.
///
/// STATE is one of: starting (not checked often enough yet), up, draining (keeps its flows, takes no new ones), down
/// (its checks fail: see REASON), disabled. WEIGHT is less than what was asked for while a backend starts slowly. SHARE is
/// the part of the service's ring that is the backend's. SERVER ID is what a QUIC server's connection ids say of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Backends {
    /// Only those of this service.
    #[arg(value_name = "SERVICE", value_parser = NonEmptyStringValueParser::new())]
    service: Option<String>,
}

impl Backends {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let services = match self.service {
            None => session.client.services().await?,
            Some(name) => vec![session.client.service(&name).await?],
        };
        let backends: Vec<_> = services.into_iter().flat_map(|service| service.backends).collect();
        session.show(&backends, |backends, style| text(backends, style))
    }
}

/// A table of backends.
pub(super) fn text(backends: &[BackendStatus], style: Style) -> String {
    if backends.is_empty() {
        return "There are no backends: `sluice backend add SERVICE ADDRESS` adds one.".to_owned();
    }
    let mut columns = COLUMNS.to_vec();
    let mut rows: Vec<_> = backends.iter().map(|backend| row(backend, style)).collect();
    if backends.iter().any(|backend| backend.server_id.is_some()) {
        columns.insert(SERVER_ID_AT, SERVER_ID);
        for (row, backend) in rows.iter_mut().zip(backends) {
            row.insert(SERVER_ID_AT, Cell::new(backend.server_id.as_deref().unwrap_or_default()));
        }
    }
    table::render(style, &columns, rows)
}

fn row(backend: &BackendStatus, style: Style) -> Vec<Cell> {
    let address = match backend.port {
        Some(port) => endpoint(backend.address, port),
        None => backend.address.to_string(),
    };
    let state = Cell::new(backend.state.name());
    vec![
        Cell::new(&backend.service),
        Cell::new(&backend.name),
        Cell::new(address),
        match style.of_state(backend.state) {
            Some(colour) => state.fg(colour),
            None => state,
        },
        Cell::new(weight(backend)),
        Cell::new(percent(backend.share)),
        Cell::new(backend.traffic.packets),
        Cell::new(bytes(backend.traffic.bytes)),
        Cell::new(backend.traffic.flows),
        Cell::new(reason(backend)),
    ]
}

/// The weight, and how much of it is in effect while a backend starts slowly.
fn weight(backend: &BackendStatus) -> String {
    if (1..backend.weight).contains(&backend.effective_weight) {
        return format!("{} of {}", backend.effective_weight, backend.weight);
    }
    backend.weight.to_string()
}

/// Why the state is what it is, and what else keeps packets from arriving.
fn reason(backend: &BackendStatus) -> String {
    let way = match (backend.local, backend.resolved) {
        (false, true) => None,
        (false, false) => Some("no way there: does it answer ARP or ND?"),
        (true, true) => Some("this node itself"),
        (true, false) => Some("this node itself, whose replies cannot be rewritten: use l2, ipip or gue"),
    };
    let reason = Some(backend.reason.as_str()).filter(|reason| !reason.is_empty());
    reason.into_iter().chain(way).collect::<Vec<_>>().join("; ")
}
