//! `sluice check`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Failure, Session, units::count};
use crate::{config, model::Model};

const EXAMPLES: &str = "\
Examples:
  sluice check /etc/sluice/sluice.toml
  sluice check sluice.toml && sluice apply sluice.toml

Exit code 2 if the file has errors. No daemon and no privileges are needed.";

/// Check a configuration file and say what it means, or everything that is wrong with it.
///
/// All errors are printed at once, each with its line, its column and what to do.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The configuration file.
    file: PathBuf,
}

/// What a configuration amounts to.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Summary {
    file: String,
    interfaces: Vec<String>,
    services: usize,
    backends: usize,
    allow_prefixes: usize,
    deny_prefixes: usize,
    /// Those with names.
    lists: usize,
    rules: usize,
    limits: usize,
}

impl Check {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (_, model) = config::read(&self.file).map_err(Failure::usage)?;
        session.show(&Summary::of(self.file.display().to_string(), &model), |summary, _| summary.text())
    }
}

impl Summary {
    fn of(file: String, model: &Model) -> Self {
        Self {
            file,
            interfaces: model.node.interfaces.clone(),
            services: model.services.len(),
            backends: model.services.iter().map(|service| service.backends.len()).sum(),
            allow_prefixes: model.firewall.allow.len(),
            deny_prefixes: model.firewall.deny.len(),
            lists: model.firewall.lists.len(),
            rules: model.firewall.rules.len(),
            limits: model.firewall.limits.len(),
        }
    }

    fn text(&self) -> String {
        let interfaces = match self.interfaces.as_slice() {
            [] => "no interface".to_owned(),
            interfaces => interfaces.join(", "),
        };
        let firewall = [(self.lists, "list", "lists"), (self.rules, "rule", "rules"), (self.limits, "limit", "limits")];
        let firewall = firewall.into_iter().filter(|(number, ..)| *number > 0);
        let firewall: String = firewall.map(|(number, one, many)| format!(", {}", count(number, one, many))).collect();
        format!(
            "{} is valid: {} with {} on {interfaces}; {} allowed, {} denied{firewall}.",
            self.file,
            count(self.services, "service", "services"),
            count(self.backends, "backend", "backends"),
            count(self.allow_prefixes, "prefix", "prefixes"),
            count(self.deny_prefixes, "prefix", "prefixes"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Firewall, FullNat, Node, Syn};

    fn model(interfaces: &[&str]) -> Model {
        let interfaces = interfaces.iter().map(ToString::to_string).collect();
        let deny = ["192.0.2.0/24", "2001:db8::/32"].iter().filter_map(|prefix| prefix.parse().ok()).collect();
        Model {
            node: Node { interfaces, secret: None, source_v4: None, source_v6: None, full_nat: FullNat::default() },
            services: vec![],
            firewall: Firewall { deny, ..Firewall::default() },
            syn: Syn::default(),
        }
    }

    #[test]
    fn the_summary_counts_what_the_file_has() {
        let text = Summary::of("a.toml".to_owned(), &model(&["eth0", "eth1"])).text();
        assert_eq!(
            text,
            "a.toml is valid: 0 services with 0 backends on eth0, eth1; 0 prefixes allowed, 2 prefixes denied."
        );
        assert!(Summary::of("a.toml".to_owned(), &model(&[])).text().contains("on no interface;"));
        let limits = Summary { rules: 1, limits: 2, ..Summary::of("a.toml".to_owned(), &model(&[])) };
        assert!(limits.text().ends_with("2 prefixes denied, 1 rule, 2 limits."), "{}", limits.text());
    }
}
