//! `sluice limits`.

use clap::Args;
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    rules::unknown,
    table::{self, Column},
    units::{bytes, duration},
};
use crate::api::types::LimitStatus;

const COLUMNS: [Column; 7] = [
    Column::Text("LIMIT"),
    Column::Text("BY"),
    Column::Text("A SECOND"),
    Column::Number("PASSED"),
    Column::Number("LIMITED"),
    Column::Number("BANNED"),
    Column::Text("ACTION"),
];
const BANS: [Column; 3] = [Column::Text("SOURCE"), Column::Text("LIMIT"), Column::Text("LEFT")];

const EXAMPLES: &str = "\
Examples:
  sluice limits
  sluice limits per-client --bans    which sources has it banned?
  sluice --json limits | jq '.[].limited'";

/// Show the firewall's rate limits, and what they have let pass.
///
/// A limit that is renamed counts from zero; a restart of the daemon does not reset the counters.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Limits {
    /// Show only this limit.
    name: Option<String>,

    /// Show the sources that are banned.
    #[arg(long)]
    bans: bool,
}

impl Limits {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut limits = session.client.limits().await?;
        if let Some(name) = &self.name {
            let names: Vec<String> = limits.iter().map(|limit| limit.name.clone()).collect();
            limits.retain(|limit| limit.name == *name);
            if limits.is_empty() {
                return Err(unknown("limit", name, &names));
            }
        }
        session.show(&limits, |limits, style| if self.bans { bans(limits, style) } else { text(limits, style) })
    }
}

fn text(limits: &[LimitStatus], style: Style) -> String {
    if limits.is_empty() {
        return "There are no limits.".to_owned();
    }
    let row = |limit: &LimitStatus| {
        vec![
            Cell::new(&limit.name),
            Cell::new(by(limit)),
            Cell::new(rate(limit)),
            Cell::new(limit.passed),
            Cell::new(limit.limited),
            Cell::new(limit.bans.len()),
            Cell::new(&limit.action),
        ]
    };
    table::render(style, &COLUMNS, limits.iter().map(row))
}

fn by(limit: &LimitStatus) -> String {
    if limit.services.is_empty() { limit.by.clone() } else { format!("{} of {}", limit.by, limit.services.join(",")) }
}

/// `1000 packets, burst 2000`, or bytes with their unit.
fn rate(limit: &LimitStatus) -> String {
    if limit.measure == "bytes" {
        return format!("{}, burst {}", bytes(limit.rate), bytes(limit.burst));
    }
    format!("{} {}, burst {}", limit.rate, limit.measure, limit.burst)
}

fn bans(limits: &[LimitStatus], style: Style) -> String {
    let rows: Vec<Vec<Cell>> = limits
        .iter()
        .flat_map(|limit| limit.bans.iter().map(move |ban| (limit, ban)))
        .map(|(limit, ban)| vec![Cell::new(&ban.source), Cell::new(&limit.name), Cell::new(duration(ban.seconds_left))])
        .collect();
    if rows.is_empty() { "Nobody is banned.".to_owned() } else { table::render(style, &BANS, rows) }
}
