//! The firewall's rules: among each other, and with what they name.

use std::collections::HashMap;

use ipnet::IpNet;
use lb_common::MAX_RULE_LINES;

use crate::{
    config::{
        fault::quote,
        names::{listed, nearest},
        report::{At, Report, Span},
        written::{Written, WrittenRule, WrittenService},
    },
    model::{Fragments, Ports, RuleAction, protocol_name},
};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Rules have names of their own, ask for what can be, name what there is, fit the table, and each can be reached.
pub(super) fn check(written: &Written, report: &mut Report<'_>) {
    let rules = &written.rules;
    names_are_unique(rules, report);
    for rule in rules {
        conditions_fit_the_protocol(rule, report);
        families_agree(rule, report);
        fragments_have_what_is_asked(rule, report);
        services_exist(&rule.services, "rule", &written.services, report);
        services_fit(rule, &written.services, report);
        interface_is_used(rule, &written.node.interfaces, report);
    }
    lines_fit(rules, report);
    // What could not be read would look like a rule that asks for less than it does.
    if report.is_empty() {
        all_can_be_reached(rules, report);
    }
}

fn names_are_unique(rules: &[WrittenRule], report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for name in rules.iter().filter_map(|rule| rule.name.as_ref()) {
        let line = report.line(name.span.start);
        if let Some(first) = seen.insert(&name.value, line) {
            let message = format!("a rule named `{}` is there already, in line {first}", name.value);
            report.error(&name.span, message, "give each rule a name of its own");
        }
    }
}

/// A condition on a header that the protocol does not have can never be met.
fn conditions_fit_the_protocol(rule: &WrittenRule, report: &mut Report<'_>) {
    let conditions: [(&str, Option<&Span>, &[u8], &str); 4] = [
        ("port", rule.ports.as_ref().map(|ports| &ports.span), &[TCP, UDP], "`protocol = \"tcp\"` or `\"udp\"`"),
        (
            "source_port",
            rule.source_ports.as_ref().map(|ports| &ports.span),
            &[TCP, UDP],
            "`protocol = \"tcp\"` or `\"udp\"`",
        ),
        ("icmp", rule.icmp.as_ref().map(|icmp| &icmp.span), &[ICMP, ICMPV6], "`protocol = \"icmp\"` or `\"icmpv6\"`"),
        ("tcp_flags", rule.flags.as_ref().map(|flags| &flags.span), &[TCP], "`protocol = \"tcp\"`"),
    ];
    for (key, span, protocols, wanted) in conditions {
        let Some(span) = span else { continue };
        match &rule.protocol {
            Some(At { value: Some(protocol), .. }) if !protocols.contains(protocol) => {
                let message = format!("{} asks for `{key}`, which {} does not have", rule.called(), named(*protocol));
                report.error(span, message, format!("write {wanted}, or remove `{key}`"));
            }
            None => {
                let message = format!("{} asks for `{key}`, but for no protocol that has it", rule.called());
                report.error(span, message, format!("write {wanted} as well"));
            }
            _ => {}
        }
    }
}

fn named(protocol: u8) -> String {
    protocol_name(protocol).trim_start_matches("protocol ").to_uppercase()
}

/// No packet goes from one family to the other, and ICMP is of one of them.
fn families_agree(rule: &WrittenRule, report: &mut Report<'_>) {
    let families = |prefixes: &Option<At<Vec<IpNet>>>| {
        let prefixes = prefixes.as_ref().filter(|prefixes| !prefixes.value.is_empty());
        prefixes.map(|prefixes| [true, false].map(|v4| prefixes.value.iter().any(|prefix| is_v4(prefix) == v4)))
    };
    let (source, destination) = (families(&rule.source), families(&rule.destination));
    if let (Some(source), Some(destination), Some(span)) = (source, destination, &rule.destination)
        && !(source[0] && destination[0] || source[1] && destination[1])
    {
        let message = format!("{} asks for a source and a destination of different families", rule.called());
        report.error(&span.span, message, "no packet has that: name prefixes of one family, or write two rules");
    }
    let Some(At { value: Some(protocol @ (ICMP | ICMPV6)), span }) = &rule.protocol else { return };
    let own = usize::from(*protocol == ICMPV6);
    if [source, destination].into_iter().flatten().any(|families| !families[own]) {
        let (name, other) = if own == 0 { ("ICMP", "IPv6") } else { ("ICMPv6", "IPv4") };
        let message = format!("{} asks for {name} between {other} addresses", rule.called());
        let help = if own == 0 { "write `protocol = \"icmpv6\"`" } else { "write `protocol = \"icmp\"`" };
        report.error(span, message, help);
    }
}

fn is_v4(prefix: &IpNet) -> bool {
    prefix.addr().is_ipv4()
}

/// A later fragment has no transport header.
fn fragments_have_what_is_asked(rule: &WrittenRule, report: &mut Report<'_>) {
    let Some(At { value: Fragments::Later, span }) = &rule.fragments else { return };
    let keys = [
        ("port", rule.ports.is_some()),
        ("source_port", rule.source_ports.is_some()),
        ("icmp", rule.icmp.is_some()),
        ("tcp_flags", rule.flags.is_some()),
        ("services", !rule.services.is_empty()),
    ];
    let asked: Vec<&str> = keys.into_iter().filter(|(_, is_asked)| *is_asked).map(|(key, _)| key).collect();
    if !asked.is_empty() {
        let message = format!("{} asks later fragments for {}, which they do not have", rule.called(), listed(&asked));
        report.error(span, message, "write `fragments = \"first\"`, or leave the ports open");
    }
}

/// Names of services, wherever they are named.
pub(super) fn services_exist(names: &[At<String>], what: &str, services: &[WrittenService], report: &mut Report<'_>) {
    let known: Vec<&str> = services.iter().filter_map(|service| Some(service.name.as_ref()?.value.as_str())).collect();
    for name in names.iter().filter(|name| !known.contains(&name.value.as_str())) {
        let help = match nearest(&name.value, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "there are no services".to_owned(),
            None => format!("there are {}", listed(&known)),
        };
        report.error(
            &name.span,
            format!("this {what} names the service {}, which there is not", quote(&name.value)),
            help,
        );
    }
}

/// A service has a protocol, which the rule's must be.
fn services_fit(rule: &WrittenRule, services: &[WrittenService], report: &mut Report<'_>) {
    let Some(At { value: Some(protocol), .. }) = rule.protocol else { return };
    for name in &rule.services {
        let service = services.iter().find(|service| service.name.as_ref().is_some_and(|own| own.value == name.value));
        let Some(of_service) = service.and_then(|service| service.protocol) else { continue };
        if of_service.number() != protocol {
            let message = format!(
                "{} asks for {} to a service of {}",
                rule.called(),
                named(protocol),
                named(of_service.number())
            );
            report.error(&name.span, message, "leave `protocol` out, or name another service");
        }
    }
}

/// Packets come in only where the program is attached.
fn interface_is_used(rule: &WrittenRule, interfaces: &[String], report: &mut Report<'_>) {
    let Some(interface) = &rule.interface else { return };
    if !interfaces.contains(&interface.value) {
        let message = format!("{} asks for {}, where Sluice is not attached", rule.called(), quote(&interface.value));
        let help = match nearest(&interface.value, interfaces.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`? Otherwise add it to `node.interfaces`"),
            None => "add it to `node.interfaces`".to_owned(),
        };
        report.error(&interface.span, message, help);
    }
}

fn lines_fit(rules: &[WrittenRule], report: &mut Report<'_>) {
    let total: usize = rules.iter().map(lines).sum();
    let mut sum = 0;
    for rule in rules {
        sum += lines(rule);
        if sum > MAX_RULE_LINES {
            let message = format!("the rules take {total} lines, and there is room for {MAX_RULE_LINES}");
            let help = "a rule takes a line for each combination of its prefixes, port ranges, ICMP types and services: \
                        name fewer of them, or use the lists for addresses";
            report.error(&rule.span, message, help);
            return;
        }
    }
}

/// How many lines of the table a rule takes.
fn lines(rule: &WrittenRule) -> usize {
    let many = |count: Option<usize>| count.filter(|&count| count > 0).unwrap_or(1);
    let spans = |ports: &Option<At<Ports>>| many(ports.as_ref().map(|ports| ports.value.spans().len()));
    let prefixes = |prefixes: &Option<At<Vec<IpNet>>>, v4: bool| {
        prefixes.as_ref().map(|prefixes| prefixes.value.iter().filter(|prefix| is_v4(prefix) == v4).count())
    };
    let pairs = match (&rule.source, &rule.destination) {
        (None, None) => 1,
        _ => [true, false]
            .into_iter()
            .map(|v4| match (prefixes(&rule.source, v4), prefixes(&rule.destination, v4)) {
                (Some(source), Some(destination)) => source * destination,
                (source, destination) => source.or(destination).unwrap_or(0),
            })
            .sum(),
    };
    let types = many(rule.icmp.as_ref().map(|icmp| icmp.value.len()));
    pairs * spans(&rule.ports) * spans(&rule.source_ports) * types * many(Some(rule.services.len()))
}

/// A rule that asks for no more than an earlier one that decides is never reached.
fn all_can_be_reached(rules: &[WrittenRule], report: &mut Report<'_>) {
    for (index, rule) in rules.iter().enumerate() {
        let decides = |earlier: &&WrittenRule| earlier.action.as_ref().is_some_and(RuleAction::is_final);
        let Some(earlier) = rules[..index].iter().filter(decides).find(|earlier| covers(earlier, rule)) else {
            continue;
        };
        let (first, action) = (report.line(earlier.span.start), earlier.action.as_ref());
        let does = action.map_or_else(String::new, ToString::to_string);
        let message = format!(
            "{} is never reached: {} in line {first} matches all of its packets, to {does} them",
            rule.called(),
            earlier.called()
        );
        report.error(&rule.span, message, "put it in front of the other, or remove it");
    }
}

/// Whether every packet that matches `rule` matches `earlier`.
fn covers(earlier: &WrittenRule, rule: &WrittenRule) -> bool {
    let protocol = |rule: &WrittenRule| rule.protocol.as_ref().map(|protocol| protocol.value);
    let fragments = |rule: &WrittenRule| rule.fragments.as_ref().map(|fragments| fragments.value);
    let flags = |rule: &WrittenRule| rule.flags.as_ref().map(|flags| flags.value).unwrap_or_default();
    let (wide, narrow) = (flags(earlier), flags(rule));
    (protocol(earlier).is_none() || protocol(earlier) == protocol(rule))
        && prefixes_cover(&earlier.source, &rule.source)
        && prefixes_cover(&earlier.destination, &rule.destination)
        && ports_cover(&earlier.ports, &rule.ports)
        && ports_cover(&earlier.source_ports, &rule.source_ports)
        && earlier.icmp.as_ref().is_none_or(|wide| {
            rule.icmp.as_ref().is_some_and(|narrow| narrow.value.iter().all(|kind| wide.value.contains(kind)))
        })
        && narrow.mask & wide.mask == wide.mask
        && narrow.value & wide.mask == wide.value
        && match (fragments(earlier), fragments(rule)) {
            (None, _) => true,
            (Some(Fragments::Any), Some(Fragments::First | Fragments::Later)) => true,
            (wide, narrow) => wide == narrow,
        }
        && earlier.length.least <= rule.length.least
        && earlier.length.most >= rule.length.most
        && earlier
            .interface
            .as_ref()
            .is_none_or(|wide| rule.interface.as_ref().is_some_and(|narrow| narrow.value == wide.value))
        && (earlier.services.is_empty()
            || !rule.services.is_empty()
                && rule.services.iter().all(|name| earlier.services.iter().any(|wide| wide.value == name.value)))
}

fn prefixes_cover(wide: &Option<At<Vec<IpNet>>>, narrow: &Option<At<Vec<IpNet>>>) -> bool {
    let Some(wide) = wide else { return true };
    narrow
        .as_ref()
        .is_some_and(|narrow| narrow.value.iter().all(|prefix| wide.value.iter().any(|wide| wide.contains(prefix))))
}

fn ports_cover(wide: &Option<At<Ports>>, narrow: &Option<At<Ports>>) -> bool {
    let Some(wide) = wide.as_ref().filter(|wide| !wide.value.is_any()) else { return true };
    let covers = |narrow: &lb_common::PortSpan| {
        wide.value.spans().iter().any(|wide| wide.first <= narrow.first && narrow.last <= wide.last)
    };
    narrow.as_ref().is_some_and(|narrow| narrow.value.spans().iter().all(covers))
}
