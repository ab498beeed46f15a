//! What the daemon tells of the firewall's rules.

use super::state::State;
use crate::{
    api::types::{ApiError, RuleStatus},
    model::{Firewall, Rule},
    plan::rule_number,
};

impl State {
    pub(super) fn rules(&self) -> Result<Vec<RuleStatus>, ApiError> {
        self.model.firewall.rules.iter().map(|rule| self.rule_status(rule)).collect()
    }

    fn rule_status(&self, rule: &Rule) -> Result<RuleStatus, ApiError> {
        let number = rule_number(rule, &self.snapshot);
        let hits = number.map(|number| self.kernel.counters().rule(number)).transpose().map_err(ApiError::failure)?;
        let hits = hits.unwrap_or_default();
        Ok(RuleStatus {
            name: rule.name.clone(),
            action: rule.action.to_string(),
            matches: rule.conditions(),
            packets: hits.packets,
            bytes: hits.bytes,
        })
    }
}

/// What differs between the rules of two configurations, a sentence each.
pub(super) fn differences(from: &Firewall, to: &Firewall) -> Vec<String> {
    let mut sentences = named("rule", &from.rules, &to.rules, |rule| &rule.name);
    let order = |rules: &[Rule], others: &[Rule]| -> Vec<String> {
        let stays = |rule: &&Rule| others.iter().any(|other| other.name == rule.name);
        rules.iter().filter(stays).map(|rule| rule.name.clone()).collect()
    };
    if order(&from.rules, &to.rules) != order(&to.rules, &from.rules) {
        sentences.push("changed the order of the rules".to_owned());
    }
    sentences
}

/// What differs between things that have names.
pub(super) fn named<T: PartialEq>(what: &str, from: &[T], to: &[T], name: impl Fn(&T) -> &String) -> Vec<String> {
    let mut sentences = Vec::new();
    for thing in to {
        match from.iter().find(|old| name(old) == name(thing)) {
            None => sentences.push(format!("added {what} {}", name(thing))),
            Some(old) if old != thing => sentences.push(format!("changed {what} {}", name(thing))),
            Some(_) => {}
        }
    }
    let gone = from.iter().filter(|old| !to.iter().any(|thing| name(thing) == name(old)));
    sentences.extend(gone.map(|old| format!("removed {what} {}", name(old))));
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    fn firewall(rules: &str) -> Firewall {
        Document::parse("test", rules).unwrap_or_else(|errors| panic!("{errors}")).1.firewall
    }

    #[test]
    fn each_change_of_a_rule_is_a_sentence() {
        let rule = |name: &str, action: &str, port: u16| {
            format!("[[rule]]\nname = \"{name}\"\naction = \"{action}\"\nprotocol = \"tcp\"\nport = {port}\n")
        };
        let before = firewall(&(rule("a", "drop", 1) + &rule("b", "drop", 2) + &rule("c", "drop", 3)));
        let after = firewall(&(rule("c", "drop", 3) + &rule("b", "count", 2) + &rule("d", "drop", 4)));
        let expected = ["changed rule b", "added rule d", "removed rule a", "changed the order of the rules"];
        assert_eq!(differences(&before, &after), expected);
        assert!(differences(&before, &before).is_empty());
    }
}
