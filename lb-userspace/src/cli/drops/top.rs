//! `sluice drops --top`.

use std::time::Duration;

use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser as _};
use comfy_table::Cell;

use super::super::{
    Failure, Session, Style,
    table::{self, Column},
    units::{duration, percent},
};
use crate::{api::types::TopDrops, telemetry::By};

/// For so long drops must have been recorded before anything can be said.
const LEAST_SECONDS: u64 = 3;

#[derive(Debug, Args)]
pub(super) struct Top {
    /// Show who is behind most of the drops of the last five minutes, as far as drops were recorded.
    ///
    /// Drops are recorded from now on for five minutes, so that asking again knows more.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10")]
    top: Option<usize>,

    /// With --top: what to sort them by. Prefixes are /24 of IPv4 and /48 of IPv6; ports are those of the destination.
    #[arg(long, value_name = "WHAT", default_value = By::Source.name(), requires = "top", value_parser = subjects())]
    by: By,
}

fn subjects() -> impl clap::builder::TypedValueParser<Value = By> {
    let named = |name: String| By::ALL.into_iter().find(|by| by.name() == name).unwrap_or(By::Source);
    PossibleValuesParser::new(By::ALL.map(By::name)).map(named)
}

impl Top {
    /// How many are asked for.
    pub(super) const fn count(&self) -> Option<usize> {
        self.top
    }

    pub(super) async fn run(self, count: usize, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut top = session.client.top_drops(self.by, count).await?;
        if top.seconds < LEAST_SECONDS {
            // Nobody has looked until now.
            tokio::time::sleep(Duration::from_secs(LEAST_SECONDS)).await;
            top = session.client.top_drops(self.by, count).await?;
        }
        session.show(&top, text)
    }
}

fn text(top: &TopDrops, style: Style) -> String {
    let summary = summary(top);
    if top.entries.is_empty() {
        return summary;
    }
    let heading = match top.by {
        By::Source => "SOURCE",
        By::Prefix => "PREFIX",
        By::Port => "PORT",
        By::Reason => "REASON",
    };
    let columns = [Column::Text(heading), Column::Number("DROPS"), Column::Number("±"), Column::Number("SHARE")];
    let rows = top.entries.iter().map(|entry| {
        let numbers = [entry.drops.to_string(), entry.plus_minus.to_string(), percent(entry.share)];
        [entry.key.clone()].into_iter().chain(numbers).map(Cell::new).collect()
    });
    format!("{}\n\n{summary}", table::render(style, &columns, rows).trim_end())
}

/// What the numbers stand on.
fn summary(top: &TopDrops) -> String {
    let time = duration(top.seconds);
    match (top.drops, top.samples) {
        (0, _) => format!("Nothing was dropped in {time}, the time in which drops were recorded."),
        (drops, samples) if drops == samples => format!("All {drops} drops of {time} were recorded."),
        (drops, samples) => format!("Of {drops} drops in {time}, {samples} were recorded and stand for the others."),
    }
}
