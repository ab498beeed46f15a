//! The side roads: ICMP errors and fragments.
//!
//! They are rare and need much work, so the main road only recognises them and leaves them alone. Here the frame is read
//! again, because the kernel's verifier looks at each of these roads by itself, as a function of a frame; the firewall has
//! been asked on the main road.

use lb_common::{DropReason, EndpointKey, Features, ReplyValue, Settings};

use crate::{
    balance::{self, Access, fragments},
    deliver::{self, Part},
    frame::Frame,
    parse::{self, Packet, quoted},
    policy, reply, service, settle,
    tables::Tables,
    verdict::Way,
};

/// Which side road a packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// An ICMP error is to be brought to whom it concerns.
    Error,
    /// A fragment is to be remembered or to follow one that was.
    Fragment,
}

/// Room for what is read of a frame: its packet, and a packet that this one quotes.
#[derive(Debug, Default)]
pub struct Places {
    pub(crate) packet: Option<Packet>,
    quoted: Option<Packet>,
}

/// What becomes of a packet that takes a side road. Drops are counted here.
#[inline(always)]
pub fn process(frame: &mut impl Frame, errand: Errand, tables: &impl Tables, places: &mut Places) -> Way {
    settle(attend(frame, errand, tables, places), tables)
}

#[inline(always)]
fn attend(
    frame: &mut impl Frame,
    errand: Errand,
    tables: &impl Tables,
    places: &mut Places,
) -> Result<Way, DropReason> {
    let Some(packet) = parse::packet(frame, &mut places.packet) else { return Ok(Way::PASS) };
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    match errand {
        Errand::Error => unanswered(error(frame, packet, settings, tables, &mut places.quoted)),
        Errand::Fragment if packet.is_later_fragment() => unanswered(later_fragment(frame, packet, settings, tables)),
        Errand::Fragment => first_fragment(frame, packet, settings, tables),
    }
}

/// An ICMP error goes to the backend whose packet it is about, or to the client whose packet a `nat` backend or a router
/// before it complains of.
#[inline(always)]
fn error(
    frame: &mut impl Frame,
    packet: &Packet,
    settings: &Settings,
    tables: &impl Tables,
    place: &mut Option<Packet>,
) -> Result<Way, DropReason> {
    let is_ours = service::address(packet, tables).is_some();
    if is_ours {
        policy::check(packet)?;
    } else if settings.features & Features::NAT == 0 {
        return Ok(Way::PASS);
    }
    // Whoever sends an error to a host can only complain of a packet from that host; all else is forged (RFC 5927).
    let quoted = quoted::reversed(frame, packet, place);
    let Some(quoted) = quoted.filter(|quoted| quoted.destination == packet.destination) else {
        return if is_ours { Err(DropReason::IcmpUnknown) } else { Ok(Way::PASS) };
    };
    if is_ours {
        let service = service::find(quoted, tables)?.ok_or(DropReason::IcmpUnknown)?;
        let choice = balance::choose(quoted, service, Access::Look, settings, tables)?;
        return deliver::to(frame, packet, Part::Error(quoted), choice);
    }
    match reply::find(quoted, tables) {
        Some(reply) => reply::send(frame, packet, Part::Error(quoted), reply, tables),
        None => Ok(Way::PASS),
    }
}

/// The first fragment has ports and goes its way like any packet, and is remembered.
#[inline(always)]
fn first_fragment(
    frame: &mut impl Frame,
    packet: &Packet,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    let hash = fragments::hash(frame, packet, &settings.hash_key).ok_or(DropReason::Inconsistent)?;
    if let Some(service) = service::find(packet, tables)? {
        policy::check(packet)?;
        let choice = balance::choose(packet, service, Access::Look, settings, tables)?;
        tables.note_fragment(hash, choice.slot);
        return deliver::to(frame, packet, Part::Packet, choice);
    }
    if settings.features & Features::NAT == 0 || packet.defect.is_some() {
        return Ok(Way::PASS);
    }
    let Some(reply) = reply::find(packet, tables) else { return Ok(Way::PASS) };
    tables.note_fragment(hash, reply.backend);
    reply::send(frame, packet, Part::Packet, reply, tables)
}

/// A later fragment goes where the first one went.
#[inline(always)]
fn later_fragment(
    frame: &mut impl Frame,
    packet: &Packet,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<Way, DropReason> {
    let is_ours = service::address(packet, tables).is_some();
    if !is_ours && settings.features & Features::NAT == 0 {
        return Ok(Way::PASS);
    }
    let hash = fragments::hash(frame, packet, &settings.hash_key).ok_or(DropReason::Inconsistent)?;
    if is_ours {
        policy::check(packet)?;
        return deliver::to(frame, packet, Part::Fragment, balance::follow(packet, hash, tables)?);
    }
    match replied(packet, hash, tables) {
        Some(reply) => reply::send(frame, packet, Part::Fragment, reply, tables),
        None => Ok(Way::PASS),
    }
}

/// What the source of a `nat` reply stands for whose first fragment has been seen.
#[inline(always)]
fn replied<'t>(packet: &Packet, hash: u64, tables: &'t impl Tables) -> Option<&'t ReplyValue> {
    let backend = tables.backend(tables.fragment(hash)?)?;
    tables.reply(&EndpointKey::new(packet.source, backend.port, packet.protocol))
}

/// No error is answered with an error, and of a fragment only the first (RFC 1812, section 4.3.2.7).
#[inline(always)]
fn unanswered(result: Result<Way, DropReason>) -> Result<Way, DropReason> {
    match result {
        Ok(way) if way.fitting().is_some() => Err(DropReason::MtuExceeded),
        other => other,
    }
}
