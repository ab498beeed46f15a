//! `sluice backends`.

use clap::{Args, builder::NonEmptyStringValueParser};
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    table::{self, Column},
    units::{bytes, endpoint, percent},
};
use crate::api::types::BackendStatus;

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
/// (its checks fail: see REASON), disabled. SHARE is the part of the service's ring that is the backend's.
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
    table::render(style, &COLUMNS, backends.iter().map(|backend| row(backend, style)))
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
        Cell::new(backend.weight),
        Cell::new(percent(backend.share)),
        Cell::new(backend.traffic.packets),
        Cell::new(bytes(backend.traffic.bytes)),
        Cell::new(backend.traffic.flows),
        Cell::new(reason(backend)),
    ]
}

/// Why the state is what it is, and what else keeps packets from arriving.
fn reason(backend: &BackendStatus) -> String {
    let unreachable = (!backend.resolved).then_some("no way there: does it answer ARP or ND?");
    let reason = Some(backend.reason.as_str()).filter(|reason| !reason.is_empty());
    reason.into_iter().chain(unreachable).collect::<Vec<_>>().join("; ")
}
