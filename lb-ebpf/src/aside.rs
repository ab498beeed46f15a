//! The side roads: ICMP errors and fragments.
//!
//! They are rare and need much work, so the main road only recognises them, when the firewall has been asked, and leaves
//! them alone. Here the frame is read again, because the kernel's verifier looks at a side road by itself, as a function of
//! a frame. What was read stays in memory ([`Places`]) for the two roads that lead on, to a backend or back to a client; the
//! verifier looks at each of those by itself too.

use lb_common::{Address, Delivery, DropReason, Features, Sanity, ServiceValue, Settings, Trail};

use crate::{
    balance::{self, Access, Choice, fragments},
    deliver::{self, Part},
    frame::Frame,
    node,
    parse::{self, Packet, Transport, quoted},
    reply, sanity, service, sessions, syn,
    tables::Tables,
    verdict::Way,
};

/// Room for what is read of a frame: its packet, and the packet that an ICMP error quotes.
#[derive(Debug, Default)]
pub struct Places {
    packet: Option<Packet>,
    quoted: Option<Packet>,
}

impl Places {
    /// The packet, and what of it is to be translated. `None` for an ICMP error that quotes nothing of use.
    #[inline(always)]
    fn read(&self) -> Option<(&Packet, Part<'_>)> {
        let packet = self.packet.as_ref()?;
        let part = if packet.transport == Transport::Error {
            Part::Error(self.quoted.as_ref()?)
        } else if packet.is_later_fragment() {
            Part::Fragment
        } else {
            Part::Packet
        };
        Some((packet, part))
    }
}

/// What becomes of a packet that takes a side road.
#[inline(always)]
pub(crate) fn process(frame: &mut impl Frame, tables: &impl Tables) -> Way {
    match tables.aside(frame) {
        Way::BACK => tables.back(frame),
        Way::SESSIONS => tables.sessions(frame),
        Way::SESSION_ERROR => tables.session_error(frame),
        way => way,
    }
}

/// The side road itself.
#[inline(always)]
pub fn enter(frame: &mut impl Frame, tables: &impl Tables, places: &mut Places) -> Way {
    attend(frame, tables, places).unwrap_or_else(Way::drop_for)
}

/// The road to the backend in a slot, for a packet whose flow has this hash.
#[inline(always)]
pub fn deliver(frame: &mut impl Frame, tables: &impl Tables, places: &Places, slot: u16, hash: u64) -> Way {
    carry(frame, tables, places, slot, hash).unwrap_or_else(Way::drop_for)
}

/// The road of what is for no service: back to a client if it is part of a `nat` reply, up to the node's stack if not.
#[inline(always)]
pub fn back(frame: &mut impl Frame, tables: &impl Tables, places: &Places) -> Way {
    carry_back(frame, tables, places).unwrap_or_else(Way::drop_for)
}

#[inline(always)]
fn attend(frame: &mut impl Frame, tables: &impl Tables, places: &mut Places) -> Result<Way, DropReason> {
    *places = Places::default();
    let Some(packet) = parse::packet(frame, &mut places.packet) else { return Ok(Way::PASS) };
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    let choice = if packet.transport == Transport::Error {
        let quoted = quoted::reversed(frame, packet, &mut places.quoted);
        if settings.features & Features::FULL_NAT != 0 && sessions::is_about_session(quoted, settings, tables)? {
            return Ok(Way::SESSION_ERROR);
        }
        concerned(frame, packet, quoted, settings, tables)?
    } else if packet.is_later_fragment() {
        let is_ours = service::is_address(packet, settings, tables);
        if is_ours {
            sanity::check(frame, packet, Sanity::OF_NODE, settings, tables)?;
        }
        let hash = fragments::hash(frame, packet, settings)?;
        let trail = tables.fragment(hash);
        if trail.session().is_some() {
            return Ok(Way::SESSIONS);
        }
        if is_ours { Some(balance::follow(packet, hash, trail, tables)?) } else { None }
    } else {
        let service = service::find(packet, settings, tables)?;
        if service.is_some_and(|service| service.has_sessions()) {
            return Ok(Way::SESSIONS);
        }
        lead(frame, packet, service, settings, tables)?
    };
    match choice {
        Some(choice) => Ok(tables.deliver_aside(frame, places, choice.slot, choice.hash)),
        None if settings.features & Features::NAT == 0 => Ok(node::way(packet, settings)),
        None => Ok(Way::BACK),
    }
}

/// The backend that an ICMP error to a service's address concerns: the one that has sent the packet it is about.
#[inline(always)]
fn concerned<'t>(
    frame: &impl Frame,
    packet: &Packet,
    quoted: Option<&Packet>,
    settings: &Settings,
    tables: &'t impl Tables,
) -> Result<Option<Choice<'t>>, DropReason> {
    if !service::is_address(packet, settings, tables) {
        return Ok(None);
    }
    sanity::check(frame, packet, Sanity::OF_NODE, settings, tables)?;
    let quoted = quoted.ok_or(DropReason::IcmpUnknown)?;
    let service = service::find(quoted, settings, tables)?.ok_or(DropReason::IcmpUnknown)?;
    // Any router may have sent it: whether a source may use the service is asked of the client.
    service::admit(quoted, service, tables)?;
    balance::choose(frame, quoted, &service, Access::Look, settings, tables).map(Some)
}

/// The backend of a first fragment to a service: it has ports, goes its way like any packet, and is remembered.
#[inline(always)]
fn lead<'t>(
    frame: &impl Frame,
    packet: &Packet,
    service: Option<ServiceValue>,
    settings: &Settings,
    tables: &'t impl Tables,
) -> Result<Option<Choice<'t>>, DropReason> {
    let Some(service) = service else { return Ok(None) };
    sanity::check(frame, packet, sanity::element(&service), settings, tables)?;
    service::admit(packet, service, tables)?;
    if syn::refuses_fragment(packet, &service) {
        return Err(DropReason::SynUnproved);
    }
    let choice = balance::choose(frame, packet, &service, Access::Track, settings, tables)?;
    tables.note_fragment(fragments::hash(frame, packet, settings)?, Trail::to_backend(choice.slot));
    Ok(Some(choice))
}

#[inline(always)]
fn carry(
    frame: &mut impl Frame,
    tables: &impl Tables,
    places: &Places,
    slot: u16,
    hash: u64,
) -> Result<Way, DropReason> {
    let (packet, part) = places.read().ok_or(DropReason::Inconsistent)?;
    let backend = tables.backend(slot).ok_or(DropReason::Inconsistent)?;
    deliver::to(frame, packet, part, Choice { backend, hash, slot })
}

#[inline(always)]
fn carry_back(frame: &mut impl Frame, tables: &impl Tables, places: &Places) -> Result<Way, DropReason> {
    let (Some((packet, part)), Some(settings)) = (places.read(), tables.settings()) else { return Ok(Way::PASS) };
    let Some((address, port)) = origin(frame, packet, part, settings, tables)? else {
        return Ok(node::way(packet, settings));
    };
    reply::send(frame, packet, part, (&address, port), tables)
}

/// The service's address and port that the source of a `nat` reply, or of the packet that an error is about, stands for.
#[inline(always)]
fn origin(
    frame: &impl Frame,
    packet: &Packet,
    part: Part<'_>,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<Option<(Address, u16)>, DropReason> {
    let found = match part {
        Part::Error(quoted) => reply::find(quoted, settings, tables),
        Part::Packet if packet.defect.is_none() => reply::find(packet, settings, tables),
        Part::Packet => None,
        Part::Fragment => {
            let trail = tables.fragment(fragments::hash(frame, packet, settings)?);
            let backend = trail.backend().and_then(|slot| tables.backend(slot));
            let is_its_own = |backend: &&_| is_from(packet, backend);
            return Ok(backend.filter(is_its_own).map(|backend| (backend.source, 0)));
        }
    };
    let Some(reply) = found else { return Ok(None) };
    if packet.is_fragment() {
        tables.note_fragment(fragments::hash(frame, packet, settings)?, Trail::to_backend(reply.backend));
    }
    Ok(Some((reply.address, reply.port)))
}

/// Whether a packet comes from a `nat` backend.
#[inline(always)]
fn is_from(packet: &Packet, backend: &lb_common::BackendValue) -> bool {
    backend.delivery == Delivery::Nat as u8 && backend.address == packet.source
}
