//! `sluice drops`.

use std::cmp::Reverse;

use clap::Args;
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    table::{self, Column},
};
use crate::api::types::Drops;

const COLUMNS: [Column; 3] = [Column::Text("REASON"), Column::Number("PACKETS"), Column::Text("EXPLANATION")];

const EXAMPLES: &str = "\
Examples:
  sluice drops
  sluice drops --all
  sluice --json drops | jq .reasons.no_backend.packets";

/// Show which packets were dropped and why.
///
/// Packets are counted since the program was loaded; a restart of the daemon does not reset them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DropsVerb {
    /// Show the reasons for which nothing was dropped, too. JSON always has all of them.
    #[arg(long)]
    all: bool,
}

impl DropsVerb {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let drops = session.client.drops().await?;
        session.show(&drops, |drops, style| text(drops, self.all, style))
    }
}

/// The most frequent first.
fn text(drops: &Drops, all: bool, style: Style) -> String {
    let mut reasons: Vec<_> = drops.reasons.iter().filter(|(_, drop)| all || drop.packets > 0).collect();
    if reasons.is_empty() {
        return "Nothing was dropped.".to_owned();
    }
    reasons.sort_by_key(|(_, drop)| Reverse(drop.packets));
    let rows = reasons
        .into_iter()
        .map(|(name, drop)| vec![Cell::new(name), Cell::new(drop.packets), Cell::new(&drop.explanation)]);
    table::render(style, &COLUMNS, rows)
}
