//! The operator's rules, one after the other: the first that drops or passes decides.

use lb_common::{DropReason, MAX_RULE_LINES, RuleAction, RuleBlock, RuleSettings, Settings, Subject, Traits};

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
pub fn subject(
    frame: &impl Frame,
    packet: &Packet,
    applying: RuleSettings,
    settings: &Settings,
    tables: &impl Tables,
) -> Subject {
    let mut traits = Traits::protocol(packet.protocol) | Traits::interface(frame.ingress()) | transport(frame, packet);
    if !packet.is_v4() {
        traits |= Traits::V6;
    }
    if packet.is_later_fragment() {
        traits |= Traits::FRAGMENT | Traits::LATER;
    } else if packet.is_fragment() {
        traits |= Traits::FRAGMENT;
    }
    if applying.is_scoped != 0
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

/// The number of a rule or limit as drops tell it: 0 is none.
#[inline(always)]
pub(super) const fn told(number: u8) -> u32 {
    number as u32 + 1
}

/// What the rules say of a packet that none drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It goes through the rest of the firewall.
    Pass,
    /// None decides.
    Undecided,
}

/// What the rules say, or what becomes of a packet that they drop. Rules that match count it.
#[inline(always)]
pub fn judge(
    subject: &Subject,
    packet: &Packet,
    block: &RuleBlock,
    applying: RuleSettings,
    tables: &impl Tables,
) -> Result<Ruling, Way> {
    let bytes = packet.frame_bytes as u64;
    let mut counted = NONE;
    for index in 0..MAX_RULE_LINES {
        if index >= applying.lines as usize {
            break;
        }
        let Some(line) = block.lines.get(index) else { break };
        // A rule of several lines counts a packet once.
        if !tables.matches(line, subject) || line.rule == counted {
            continue;
        }
        tables.count_rule(line.rule.into(), bytes);
        match RuleAction::from_byte(line.action) {
            RuleAction::Drop => return Err(Way::drop_by(DropReason::Rule, told(line.rule))),
            RuleAction::Pass => return Ok(Ruling::Pass),
            RuleAction::Count => counted = line.rule,
            RuleAction::Limit(limit) => {
                if !tables.charge(packet, applying.bank, limit.into(), subject.service()) {
                    return Err(Way::drop_by(DropReason::RateLimited, told(limit)));
                }
                counted = line.rule;
            }
        }
    }
    Ok(Ruling::Undecided)
}
