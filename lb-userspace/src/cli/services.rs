//! `sluice services`.

use clap::{Args, builder::NonEmptyStringValueParser};
use comfy_table::Cell;

use super::{
    Failure, Session, Style, backends, syn,
    table::{self, Column},
    units::{bytes, endpoint},
};
use crate::api::types::{BackendState, ServiceStatus};

const COLUMNS: [Column; 8] = [
    Column::Text("NAME"),
    Column::Text("ADDRESS"),
    Column::Text("PROTOCOL"),
    Column::Text("DELIVERY"),
    Column::Number("UP"),
    Column::Number("PACKETS"),
    Column::Number("BYTES"),
    Column::Number("FLOWS"),
];

const EXAMPLES: &str = "\
Examples:
  sluice services
  sluice services web
  sluice --json services | jq '.[].traffic.packets'";

/// Show the services, or one of them with its backends.
///
/// UP is how many of the backends take traffic. FLOWS counts TCP connections opened. The counters go on through a
/// restart of the daemon.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Services {
    /// Only this service, with its backends.
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
}

impl Services {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.name {
            None => {
                let services = session.client.services().await?;
                session.show(&services, |services, style| overview(services, style))
            }
            Some(name) => {
                let service = session.client.service(&name).await?;
                session.show(&service, details)
            }
        }
    }
}

fn overview(services: &[ServiceStatus], style: Style) -> String {
    if services.is_empty() {
        return "There are no services: add one to the configuration and `sluice apply` it.".to_owned();
    }
    table::render(style, &COLUMNS, services.iter().map(row))
}

fn row(service: &ServiceStatus) -> Vec<Cell> {
    vec![
        Cell::new(&service.name),
        Cell::new(address(service)),
        Cell::new(service.protocol.name()),
        Cell::new(&service.delivery),
        Cell::new(up(service)),
        Cell::new(service.traffic.packets),
        Cell::new(bytes(service.traffic.bytes)),
        Cell::new(service.traffic.flows),
    ]
}

fn details(service: &ServiceStatus, style: Style) -> String {
    let traffic = &service.traffic;
    let mut rows = vec![
        ("Service", service.name.clone()),
        ("Address", format!("{} {}", address(service), service.protocol.name())),
        ("Delivery", service.delivery.clone()),
        ("Ring", format!("{} rows", service.rows)),
        ("Traffic", format!("{} packets, {}, {} flows", traffic.packets, bytes(traffic.bytes), traffic.flows)),
        ("Backends", format!("{} up", up(service))),
    ];
    rows.extend(service.pool.clone().map(|pool| ("Pool", pool)));
    if !service.allow_from.is_empty() {
        rows.push(("Sources", service.allow_from.join(", ")));
    }
    rows.extend(service.sessions.map(|sessions| ("Sessions", sessions.to_string())));
    rows.extend(service.syn.as_ref().map(|status| ("SYN", syn::sentence(status))));
    let fields = table::fields(&rows);
    format!("{fields}\n{}", backends::text(&service.backends, style))
}

/// Where clients connect to; `*` is any port.
fn address(service: &ServiceStatus) -> String {
    endpoint(&service.address, if service.port == "any" { "*" } else { &service.port })
}

/// How many backends take traffic, of how many.
fn up(service: &ServiceStatus) -> String {
    let up = service.backends.iter().filter(|backend| backend.state == BackendState::Up).count();
    format!("{up}/{}", service.backends.len())
}
