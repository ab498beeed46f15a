//! The operator's rules, one after the other: the first that drops or passes decides.

use lb_common::{DropReason, MAX_RULE_LINES, RuleAction, Settings, Subject, Traits};

use crate::{
    frame::Frame,
    parse::{Packet, Transport},
    tables::Tables,
    verdict::Way,
    wire::{icmp::Icmp, protocol},
};

/// No rule has this number.
const NONE: u8 = u8::MAX;

/// What of a packet rules are compared with. The service is looked up if a rule asks for one.
#[inline(always)]
pub fn subject(frame: &impl Frame, packet: &Packet, settings: &Settings, tables: &impl Tables) -> Subject {
    let mut traits = Traits::protocol(packet.protocol) | Traits::interface(frame.ingress()) | transport(frame, packet);
    if !packet.is_v4() {
        traits |= Traits::V6;
    }
    if packet.is_later_fragment() {
        traits |= Traits::FRAGMENT | Traits::LATER;
    } else if packet.is_fragment() {
        traits |= Traits::FRAGMENT;
    }
    if settings.rules.is_scoped != 0
        && let Some(service) = super::service_of(packet, settings, tables)
    {
        traits |= Traits::service(service);
    }
    let ports = (packet.source_port, packet.destination_port);
    Subject::new(traits, &packet.source, &packet.destination, ports, packet.ip_bytes)
}

/// What the transport header says, if it is there.
#[inline(always)]
fn transport(frame: &impl Frame, packet: &Packet) -> u64 {
    match packet.transport {
        Transport::Tcp { flags } => return Traits::KNOWN | Traits::detail(flags),
        Transport::Udp => return Traits::KNOWN,
        Transport::EchoRequest | Transport::Error | Transport::Other => {}
    }
    let is_icmp = packet.protocol == if packet.is_v4() { protocol::ICMP } else { protocol::ICMPV6 };
    if !is_icmp || packet.defect.is_some() {
        return 0;
    }
    frame.header::<Icmp>(packet.transport_offset).map_or(0, |header| Traits::KNOWN | Traits::detail(header.kind()))
}

/// A rule's number as drops tell it: 0 is none.
#[inline(always)]
const fn number(rule: u8) -> u32 {
    rule as u32 + 1
}

/// Lets a packet go on, or says what becomes of it. Rules that match count it.
#[inline(always)]
pub fn judge(subject: &Subject, packet: &Packet, settings: &Settings, tables: &impl Tables) -> Result<(), Way> {
    let Some(block) = tables.rules(settings.rules.bank.into()) else { return Ok(()) };
    let bytes = packet.frame_bytes as u64;
    let mut counted = NONE;
    for index in 0..MAX_RULE_LINES {
        if index >= settings.rules.lines as usize {
            break;
        }
        let Some(line) = block.lines.get(index) else { break };
        // A rule of several lines counts a packet once.
        if !line.matches(subject) || line.rule == counted {
            continue;
        }
        tables.count_rule(line.rule.into(), bytes);
        match RuleAction::from_byte(line.action) {
            RuleAction::Drop => return Err(Way::drop_by(DropReason::Rule, number(line.rule))),
            RuleAction::Pass => return Ok(()),
            RuleAction::Count | RuleAction::Limit(_) => counted = line.rule,
        }
    }
    Ok(())
}
