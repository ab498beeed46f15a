//! What differs between two configurations, in words.

use std::collections::HashSet;

use crate::model::{Firewall, Model, NamedList, Protect, Sanity, Service};

/// What differs between two models, a sentence each.
pub(super) fn differences(from: &Model, to: &Model) -> Vec<String> {
    let mut sentences = Vec::new();
    for service in &to.services {
        match from.services.iter().find(|old| old.name == service.name) {
            None => sentences.push(format!("added service {}", service.name)),
            Some(old) if old != service => {
                // What happens to a pool is said once, and not for each of its services.
                let new = service_differences(old, service).into_iter();
                let new: Vec<String> = new.filter(|sentence| !sentences.contains(sentence)).collect();
                sentences.extend(new);
            }
            Some(_) => {}
        }
    }
    let gone = from.services.iter().filter(|old| !to.services.iter().any(|service| service.name == old.name));
    sentences.extend(gone.map(|service| format!("removed service {}", service.name)));
    sentences.extend(match (from.firewall.protect, to.firewall.protect) {
        (Protect::Services, Protect::Node) => Some("the node itself is protected".to_owned()),
        (Protect::Node, Protect::Services) => Some("the node itself is no longer protected".to_owned()),
        _ => None,
    });
    sentences.extend(match (&from.firewall.crowdsec, &to.firewall.crowdsec) {
        (None, Some(_)) => Some("CrowdSec is asked whom to ban".to_owned()),
        (Some(_), None) => Some("CrowdSec is no longer asked whom to ban".to_owned()),
        (old, new) => (old != new).then(|| "changed the settings of CrowdSec".to_owned()),
    });
    sentences.extend(list_differences(&from.firewall, &to.firewall));
    sentences.extend(sanity_differences(&from.firewall.sanity, &to.firewall.sanity));
    sentences.extend(super::rules::differences(&from.firewall, &to.firewall));
    if from.syn != to.syn {
        sentences.push("changed the settings of SYN protection".to_owned());
    }
    if from.node != to.node {
        sentences.push("changed the node's settings".to_owned());
    }
    sentences
}

/// What differs between the node's sanity checks.
fn sanity_differences(from: &Sanity, to: &Sanity) -> Vec<String> {
    let switched = to.on.symmetric_difference(&from.on);
    let switched = switched.map(|check| (check.name(), if to.on.contains(check) { "on" } else { "off" }));
    let mut sentences: Vec<String> = switched.map(|(name, word)| format!("sanity check {name}: {word}")).collect();
    if from.amplifiers != to.amplifiers {
        sentences.push("changed the ports of the sanity check amplifiers".to_owned());
    }
    sentences
}

/// What differs between the lists, but for Sluice's own.
fn list_differences(from: &Firewall, to: &Firewall) -> Vec<String> {
    let mut sentences = Vec::new();
    let told = |firewall: &Firewall, name: &&str| !firewall.is_built_in(name);
    for name in to.names().into_iter().filter(|name| told(to, name)) {
        let Some((old_kind, old)) = from.list(name) else {
            sentences.push(format!("added list {name}"));
            continue;
        };
        let Some((kind, new)) = to.list(name) else { continue };
        let (old, new): (HashSet<_>, HashSet<_>) = (old.iter().collect(), new.iter().collect());
        let (added, removed) = (new.difference(&old).count(), old.difference(&new).count());
        if added + removed > 0 {
            sentences.push(format!("{name} list: {added} added, {removed} removed"));
        }
        let named = |firewall: &Firewall| {
            let list = firewall.lists.iter().find(|list| list.name == name).cloned();
            list.map(|list| NamedList { entries: Vec::new(), ..list })
        };
        if kind != old_kind || named(from) != named(to) {
            sentences.push(format!("changed list {name}"));
        }
    }
    let gone = from.names().into_iter().filter(|name| told(from, name) && to.list(name).is_none());
    sentences.extend(gone.map(|name| format!("removed list {name}")));
    sentences
}

fn service_differences(old: &Service, new: &Service) -> Vec<String> {
    let mut sentences = Vec::new();
    let owner = match &new.pool {
        Some(pool) => format!("pool {pool}"),
        None => format!("service {}", new.name),
    };
    for backend in &new.backends {
        match old.backends.iter().find(|before| before.name == backend.name) {
            None => sentences.push(format!("added backend {} to {owner}", backend.name)),
            Some(before) if before != backend => {
                sentences.push(format!("changed backend {} of {owner}", backend.name));
            }
            Some(_) => {}
        }
    }
    let gone = old.backends.iter().filter(|before| !new.backends.iter().any(|backend| backend.name == before.name));
    sentences.extend(gone.map(|backend| format!("removed backend {} from {owner}", backend.name)));
    if sentences.is_empty() {
        sentences.push(format!("changed service {}", new.name));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    fn model(text: &str) -> Model {
        Document::parse("test", text).unwrap_or_else(|errors| panic!("{errors}")).1
    }

    #[test]
    fn the_settings_of_crowdsec_are_told() {
        let asked = |key: &str| model(&format!("[crowdsec]\nurl = \"http://127.0.0.1:8080\"\napi_key = \"{key}\"\n"));
        let (without, one, two) = (model(""), asked("one"), asked("two"));
        assert_eq!(differences(&without, &one), ["CrowdSec is asked whom to ban"]);
        assert_eq!(differences(&one, &two), ["changed the settings of CrowdSec"]);
        assert_eq!(differences(&two, &without), ["CrowdSec is no longer asked whom to ban"]);
        assert!(differences(&one, &one).is_empty());
    }
}
