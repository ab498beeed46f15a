//! `sluice syn`.

use clap::Args;
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    table::{self, Column},
    units::duration,
};
use crate::api::types::{ServiceStatus, SynStatus};

const COLUMNS: [Column; 11] = [
    Column::Text("SERVICE"),
    Column::Text("MODE"),
    Column::Text("STATE"),
    Column::Number("UNFINISHED/S"),
    Column::Number("CHALLENGED"),
    Column::Number("PROVED"),
    Column::Number("RETRIED"),
    Column::Number("ADMITTED"),
    Column::Number("LIMITED"),
    Column::Number("UNANSWERED"),
    Column::Number("REFUSED"),
];

const EXAMPLES: &str = "\
Examples:
  sluice syn
  sluice --json syn | jq '.[] | select(.syn.active) | .name'";

/// Show how TCP services are protected against floods of SYNs.
///
/// UNFINISHED/S is how many handshakes a second were not finished lately. CHALLENGED counts SYNs of strangers that were
/// answered with a cookie; with `monitor`, those that would have been. PROVED counts cookies that came back, so that their sources are let in;
/// RETRIED, SYNs let in because they came a second time; ADMITTED, SYNs of sources that were let in; LIMITED, those that were too
/// many; UNANSWERED, SYNs of strangers whose prefix had got enough answers; REFUSED, resets that proved nothing and went
/// on, as those of open connections do.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SynVerb {}

impl SynVerb {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut services = session.client.services().await?;
        services.retain(|service| service.syn.is_some());
        session.show(&services, |services, style| text(services, style))
    }
}

fn text(services: &[ServiceStatus], style: Style) -> String {
    if services.is_empty() {
        return "There are no TCP services.".to_owned();
    }
    let rows = services.iter().filter_map(|service| Some(row(&service.name, service.syn.as_ref()?)));
    table::render(style, &COLUMNS, rows)
}

fn row(service: &str, syn: &SynStatus) -> Vec<Cell> {
    let mut cells = vec![
        Cell::new(service),
        Cell::new(&syn.mode),
        Cell::new(state(syn)),
        Cell::new(syn.unfinished.map_or_else(|| "-".to_owned(), |rate| rate.to_string())),
    ];
    let counted = [syn.challenged, syn.proved, syn.retried, syn.admitted, syn.limited, syn.unanswered, syn.refused];
    cells.extend(counted.map(Cell::new));
    cells
}

/// Whether protection is active, and for how long that has been so.
fn state(syn: &SynStatus) -> String {
    let state = match (syn.active, syn.mode.as_str()) {
        (true, "monitor") => "would be active",
        (true, _) => "active",
        (false, _) => "inactive",
    };
    match syn.seconds {
        Some(seconds) => format!("{state} for {}", duration(seconds)),
        None => state.to_owned(),
    }
}

/// The same in a line.
pub(super) fn sentence(syn: &SynStatus) -> String {
    let mut text = format!("{}, {}", syn.mode, state(syn));
    if let Some(unfinished) = syn.unfinished {
        text += &format!(", {unfinished} unfinished handshakes a second");
    }
    if syn.challenged + syn.admitted > 0 {
        text += &format!("; {} challenged, {} proved, {} retried", syn.challenged, syn.proved, syn.retried);
    }
    text
}
