//! The firewall's rules as lines.

use std::collections::BTreeMap;

use ipnet::IpNet;
use lb_common::{Address, MAX_RULE_LINES, PortSpan, RULE_BANKS, RuleBlock, RuleLine, RuleSettings, Traits};

use super::{Inputs, Snapshot};
use crate::{
    model::{Fragments, Rule, RuleAction, mapped_bits},
    ring,
};

/// Puts the model's rules into the snapshot, and returns what the settings are to say of them.
///
/// The block stays where it is if nothing in it has changed; a rule keeps its number, and with it its counters, for as
/// long as it keeps its name.
pub(super) fn put(
    inputs: Inputs<'_>,
    ids: &BTreeMap<String, u32>,
    current: &Snapshot,
    snapshot: &mut Snapshot,
) -> RuleSettings {
    let rules = &inputs.model.firewall.rules;
    if rules.is_empty() {
        return RuleSettings::default();
    }
    let before = current.rules.get(&current.settings.rules.bank);
    let numbers = numbers(rules, before);
    let mut block = RuleBlock::default();
    let lines = rules.iter().zip(&numbers).flat_map(|(rule, &number)| lines(rule, number, inputs, ids));
    let mut count = 0;
    for (place, line) in block.lines.iter_mut().zip(lines) {
        *place = line;
        count += 1;
    }
    for (rule, &number) in rules.iter().zip(&numbers) {
        block.names[usize::from(number)] = name(rule);
    }
    let bank = match before {
        Some(before) if *before == block => current.settings.rules.bank,
        _ => (current.settings.rules.bank + 1) % RULE_BANKS as u16,
    };
    snapshot.rules.insert(bank, block);
    RuleSettings { bank, lines: count, is_scoped: rules.iter().any(|rule| !rule.services.is_empty()).into() }
}

/// The number of a rule, which its counters have.
pub fn rule_number(rule: &Rule, snapshot: &Snapshot) -> Option<u32> {
    let block = snapshot.rules.get(&snapshot.settings.rules.bank)?;
    block.names.iter().position(|&known| known == name(rule)).and_then(|number| u32::try_from(number).ok())
}

/// The numbers that have another rule than before, whose counters are not the new one's.
pub(super) fn renamed(from: &Snapshot, to: &Snapshot) -> impl Iterator<Item = u32> {
    let names = |snapshot: &Snapshot| {
        snapshot.rules.get(&snapshot.settings.rules.bank).map_or([0; MAX_RULE_LINES], |block| block.names)
    };
    let pairs = (0..).zip(names(from).into_iter().zip(names(to)));
    pairs.filter(|(_, (before, after))| *after != 0 && before != after).map(|(number, _)| number)
}

/// What the block calls a rule.
fn name(rule: &Rule) -> u32 {
    // 0 is nobody.
    ring::short_identity(&rule.name).max(1)
}

/// A number for each rule: the one that it has, or a free one.
fn numbers(rules: &[Rule], before: Option<&RuleBlock>) -> Vec<u8> {
    let mut taken = [false; MAX_RULE_LINES];
    let names = before.map_or([0; MAX_RULE_LINES], |block| block.names);
    let mut numbers: Vec<Option<usize>> = Vec::with_capacity(rules.len());
    for rule in rules {
        let kept = names.iter().position(|&known| known == name(rule)).filter(|&number| !taken[number]);
        numbers.push(kept);
        kept.into_iter().for_each(|number| taken[number] = true);
    }
    // Numbers that nobody had come first, so that the counters of a rule that is gone rest for a while.
    let mut free: Vec<usize> = (0..MAX_RULE_LINES).filter(|&number| !taken[number]).collect();
    free.sort_by_key(|&number| names[number] != 0);
    let mut free = free.into_iter();
    let numbers = numbers.into_iter().map(|kept| kept.or_else(|| free.next()).unwrap_or(0));
    numbers.map(|number| number as u8).collect()
}

/// The lines of a rule: one for each combination of its prefixes, port ranges, ICMP types and services.
fn lines(rule: &Rule, number: u8, inputs: Inputs<'_>, ids: &BTreeMap<String, u32>) -> Vec<RuleLine> {
    let Some((mask, traits)) = traits(rule, inputs) else { return Vec::new() };
    let first = RuleLine {
        mask,
        traits,
        bytes: PortSpan { first: rule.length.least, last: rule.length.most },
        source_ports: PortSpan::ANY,
        destination_ports: PortSpan::ANY,
        rule: number,
        action: action(&rule.action).to_byte(),
        ..RuleLine::default()
    };
    let mut lines = vec![first];
    let types =
        rule.icmp.iter().map(|&kind| (Traits::detail(0xff) | Traits::KNOWN, Traits::detail(kind) | Traits::KNOWN));
    lines = each(lines, types, asking);
    let services = rule.services.iter().filter_map(|service| ids.get(service));
    lines = each(lines, services.map(|&id| (Traits::SERVICE, Traits::service(id as u16))), asking);
    lines = each(lines, rule.ports.spans().iter(), |line, &span| line.destination_ports = span);
    lines = each(lines, rule.source_ports.spans().iter(), |line, &span| line.source_ports = span);
    lines = each(lines, rule.source.iter(), |line, &prefix| {
        (line.source, line.source_bits) = covering(prefix);
        of_family(line, prefix);
    });
    let mut both = each(lines, rule.destination.iter(), |line, &prefix| {
        (line.destination, line.destination_bits) = covering(prefix);
        // A line that has the other family from its source is for no packet.
        if line.mask & Traits::V6 != 0 && (line.traits & Traits::V6 != 0) == prefix.addr().is_ipv4() {
            line.action = 0;
        }
        of_family(line, prefix);
    });
    both.retain(|line| line.action != 0);
    both
}

/// What the word of traits must have: a mask and the bits. `None` if the rule names an interface that is not there.
fn traits(rule: &Rule, inputs: Inputs<'_>) -> Option<(u64, u64)> {
    let (mut mask, mut traits) = (0, 0);
    let mut ask = |bits: u64, value: u64| {
        mask |= bits;
        traits |= value;
    };
    rule.protocol.into_iter().for_each(|protocol| ask(Traits::protocol(0xff), Traits::protocol(protocol)));
    if rule.flags.mask != 0 {
        ask(Traits::detail(rule.flags.mask) | Traits::KNOWN, Traits::detail(rule.flags.value) | Traits::KNOWN);
    }
    match rule.fragments {
        None => {}
        Some(Fragments::None) => ask(Traits::FRAGMENT, 0),
        Some(Fragments::Any) => ask(Traits::FRAGMENT, Traits::FRAGMENT),
        Some(Fragments::First) => ask(Traits::FRAGMENT | Traits::LATER, Traits::FRAGMENT),
        Some(Fragments::Later) => ask(Traits::LATER, Traits::LATER),
    }
    if let Some(interface) = &rule.interface {
        ask(Traits::INTERFACE, Traits::interface(*inputs.interfaces.get(interface)?));
    }
    Some((mask, traits))
}

/// Makes a line ask for more traits.
fn asking(line: &mut RuleLine, (mask, traits): (u64, u64)) {
    line.mask |= mask;
    line.traits |= traits;
}

/// A line for each choice; the lines as they are if there is none.
fn each<T>(lines: Vec<RuleLine>, choices: impl Iterator<Item = T>, set: impl Fn(&mut RuleLine, T)) -> Vec<RuleLine>
where
    T: Copy,
{
    let choices: Vec<T> = choices.collect();
    if choices.is_empty() {
        return lines;
    }
    let with = |line: RuleLine, choice: T| {
        let mut line = line;
        set(&mut line, choice);
        line
    };
    lines
        .into_iter()
        .flat_map(|line| choices.iter().map(move |&choice| (line, choice)))
        .map(|(line, choice)| with(line, choice))
        .collect()
}

/// A prefix as a line has it.
fn covering(prefix: IpNet) -> ([u64; 2], u8) {
    // A prefix of no bits covers its family, which the traits tell; an IPv4 one has 96.
    (Address::from(prefix.network()).halves(), mapped_bits(prefix) as u8)
}

/// Makes a line ask for the family of a prefix: a short one of IPv6 would cover mapped IPv4 addresses as well.
fn of_family(line: &mut RuleLine, prefix: IpNet) {
    asking(line, (Traits::V6, if prefix.addr().is_ipv4() { 0 } else { Traits::V6 }));
}

fn action(action: &RuleAction) -> lb_common::RuleAction {
    match action {
        RuleAction::Drop => lb_common::RuleAction::Drop,
        RuleAction::Pass => lb_common::RuleAction::Pass,
        RuleAction::Count => lb_common::RuleAction::Count,
    }
}
