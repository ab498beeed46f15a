//! `sluice drops`.

mod follow;
#[cfg(test)]
mod tests;
mod top;

use std::cmp::Reverse;

use clap::Args;
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    table::{self, Column},
};
use crate::{
    api::types::{DropCount, Drops},
    config::{nearest, quote},
};

const COLUMNS: [Column; 4] =
    [Column::Text("REASON"), Column::Number("PACKETS"), Column::Number("A SECOND"), Column::Text("EXPLANATION")];

const EXAMPLES: &str = "\
Examples:
  sluice drops
  sluice drops no_backend                        what it means, and what to do
  sluice drops --follow                          each drop as it comes
  sluice drops --follow --reason denied --source 203.0.113.0/24
  sluice drops --top --by prefix                 who is behind most of them
  sluice --json drops | jq .reasons.no_backend.packets
  sluice --json drops --follow | jq -r .source   a line of JSON for each";

/// Show which packets were dropped and why.
///
/// Packets are counted since the program was loaded; a restart of the daemon does not reset them. With --follow and --top
/// the datapath records some of the drops, a thousand a second at the most, as long as somebody looks.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DropsVerb {
    /// Explain this reason, and say what to do about it.
    #[arg(value_name = "REASON", conflicts_with_all = ["all", "follow", "top"])]
    explain: Option<String>,

    /// Show the reasons for which nothing was dropped, too. JSON always has all of them.
    #[arg(long, conflicts_with_all = ["follow", "top"])]
    all: bool,

    #[command(flatten)]
    follow: follow::Follow,

    #[command(flatten)]
    top: top::Top,
}

impl DropsVerb {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.follow.is_asked() {
            return self.follow.run(session).await;
        }
        if let Some(count) = self.top.count() {
            return self.top.run(count, session).await;
        }
        let drops = session.client.drops().await?;
        match self.explain {
            None => session.show(&drops, |drops, style| text(drops, self.all, style)),
            Some(reason) => {
                let drop = drops.reasons.get(&reason).ok_or_else(|| unknown(&reason, &drops))?;
                session.show(drop, |drop, _| explanation(&reason, drop))
            }
        }
    }
}

/// The most frequent first.
fn text(drops: &Drops, all: bool, style: Style) -> String {
    let mut reasons: Vec<_> = drops.reasons.iter().filter(|(_, drop)| all || drop.packets > 0).collect();
    if reasons.is_empty() {
        return "Nothing was dropped.".to_owned();
    }
    reasons.sort_by_key(|(_, drop)| Reverse(drop.packets));
    let rows = reasons.into_iter().map(|(name, drop)| {
        let rate = format!("{:.0}", drop.per_second);
        vec![Cell::new(name), Cell::new(drop.packets), Cell::new(rate), Cell::new(&drop.explanation)]
    });
    table::render(style, &COLUMNS, rows)
}

/// One reason, with what to do.
fn explanation(reason: &str, drop: &DropCount) -> String {
    table::fields(&[
        ("Reason", reason.to_owned()),
        ("Packets", format!("{}, {:.0} a second of late", drop.packets, drop.per_second)),
        ("It means", drop.explanation.clone()),
        ("To do", drop.advice.clone()),
    ])
}

fn unknown(reason: &str, drops: &Drops) -> Failure {
    let known = || drops.reasons.keys().map(String::as_str);
    let hint = match nearest(reason, known()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    };
    Failure::usage(format_args!("there is no drop reason {}; {hint}", quote(reason)))
}
