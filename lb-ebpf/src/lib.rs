//! Sluice's datapath, as a library that knows neither aya nor the kernel.
//!
//! It is generic over a [`Frame`] (bytes with one bounds check) and [`Tables`] (maps and
//! kernel look-ups), so the same source runs under `cargo test`, a fuzzer and the kernel's verifier. The programs in
//! `programs/` bind it to XDP.
//!
//! The modules stand in the order in which a packet meets them.

#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)]

pub mod frame;
pub mod wire;

pub mod parse;
pub mod tables;

pub mod firewall;
pub mod receiver;

pub mod sanity;
pub mod service;

pub mod syn;

pub mod balance;
pub mod deliver;

pub mod drops;
pub mod echo;
pub mod node;
pub mod reply;
pub mod sessions;
pub mod verdict;

pub mod aside;
pub mod too_big;

pub mod agent;

use lb_common::DropReason;

use crate::{
    balance::Access,
    deliver::Part,
    frame::Frame,
    tables::Tables,
    verdict::{Verdict, Way},
};

/// What becomes of one frame: the whole datapath. Drops are noted here.
#[inline(always)]
pub fn process(frame: &mut impl Frame, tables: &impl Tables) -> Verdict {
    let entered = tables.road(frame);
    let way = match entered.road() {
        Way::ASIDE => aside::process(frame, tables),
        Way::SESSIONS => tables.sessions(frame),
        way => way,
    };
    let way = match way {
        Way::NODE if entered.is_admitted() => Way::PASS,
        Way::NODE => tables.node(frame),
        way => way,
    };
    if let Some(reason) = way.reason() {
        drops::note(frame, reason, way.number(), tables);
        return way.max_bytes().map_or(Way::DROP, |max_bytes| tables.refuse(frame, max_bytes)).verdict();
    }
    way.verdict()
}

/// The main road, which all but rare packets take to its end.
#[inline(always)]
pub fn road(frame: &mut impl Frame, tables: &impl Tables) -> Way {
    forward(frame, tables).unwrap_or_else(Way::drop_for)
}

/// The journey of a packet.
#[inline(always)]
fn forward(frame: &mut impl Frame, tables: &impl Tables) -> Result<Way, DropReason> {
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(Way::PASS) };
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    if let Err(way) = firewall::admit(frame, packet, settings, tables) {
        return Ok(way);
    }
    if !receiver::is_us(frame, settings, tables) {
        return Ok(Way::PASS);
    }
    if packet.is_rare() {
        return Ok(Way::ASIDE.admitted(packet.is_admitted));
    }
    let Some(service) = service::find(packet, settings, tables)? else {
        return reply::translate(frame, packet, settings, tables);
    };
    if service.has_sessions() {
        return Ok(Way::SESSIONS.admitted(packet.is_admitted));
    }
    sanity::check(frame, packet, sanity::element(&service), settings, tables)?;
    if service.is_address() {
        return Ok(echo::answer(frame, packet));
    }
    service::admit(packet, service, tables)?;
    if syn::guard(frame, packet, service, tables)? {
        return Ok(Way::TRANSMIT);
    }
    let choice = balance::choose(frame, packet, &service, Access::Track, settings, tables)?;
    deliver::to(frame, packet, Part::Packet, choice)
}
