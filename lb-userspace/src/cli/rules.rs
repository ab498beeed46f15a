//! `sluice rules`.

use clap::Args;
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    table::{self, Column},
    units::bytes,
};
use crate::api::types::RuleStatus;

const COLUMNS: [Column; 5] = [
    Column::Text("RULE"),
    Column::Text("ACTION"),
    Column::Number("PACKETS"),
    Column::Number("BYTES"),
    Column::Text("MATCHES"),
];

const EXAMPLES: &str = "\
Examples:
  sluice rules
  sluice rules no-telnet
  sluice --json rules | jq '.[] | select(.packets == 0).name'";

/// Show the firewall's rules, in the order in which packets meet them.
///
/// The first rule that drops or passes a packet decides. A rule that is renamed counts from zero; a restart of the daemon
/// does not reset the counters.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Rules {
    /// Show only this rule.
    name: Option<String>,
}

impl Rules {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut rules = session.client.rules().await?;
        if let Some(name) = &self.name {
            let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
            rules.retain(|rule| rule.name == *name);
            if rules.is_empty() {
                return Err(unknown("rule", name, &names));
            }
        }
        session.show(&rules, |rules, style| text(rules, style))
    }
}

/// There is nothing of that name.
pub(super) fn unknown(what: &str, name: &str, names: &[String]) -> Failure {
    let there = if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
    Failure::usage(format_args!("no {what} `{name}`: {there}"))
}

fn text(rules: &[RuleStatus], style: Style) -> String {
    if rules.is_empty() {
        return "There are no rules.".to_owned();
    }
    let row = |rule: &RuleStatus| {
        let action = Cell::new(&rule.action);
        vec![
            Cell::new(&rule.name),
            action,
            Cell::new(rule.packets),
            Cell::new(bytes(rule.bytes)),
            Cell::new(&rule.matches),
        ]
    };
    table::render(style, &COLUMNS, rules.iter().map(row))
}
