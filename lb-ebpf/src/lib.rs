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
mod receiver;

mod policy;
pub mod service;

pub mod balance;
pub mod deliver;

pub mod echo;
pub mod reply;
pub mod verdict;

pub mod aside;
pub mod too_big;

pub mod agent;

use lb_common::DropReason;

use crate::{
    balance::Access,
    deliver::Part,
    frame::Frame,
    parse::Transport,
    tables::Tables,
    verdict::{Verdict, Way},
};

/// What becomes of one frame: the whole datapath. Drops are counted here.
#[inline(always)]
pub fn process(frame: &mut impl Frame, tables: &impl Tables) -> Verdict {
    let mut way = settle(forward(frame, tables), tables);
    if let Some(errand) = way.errand() {
        way = tables.aside(frame, errand);
    }
    if let Some(mtu) = way.fitting() {
        way = tables.refuse(frame, mtu);
    }
    way.verdict()
}

/// Counts a drop.
#[inline(always)]
fn settle(result: Result<Way, DropReason>, tables: &impl Tables) -> Way {
    result.unwrap_or_else(|reason| {
        tables.count_drop(reason);
        Way::DROP
    })
}

/// The journey of a packet.
#[inline(always)]
fn forward(frame: &mut impl Frame, tables: &impl Tables) -> Result<Way, DropReason> {
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(Way::PASS) };
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    firewall::admit(packet, settings, tables)?;
    if !receiver::is_us(frame, settings) {
        return Ok(Way::PASS);
    }
    if packet.transport == Transport::Error {
        return Ok(Way::ERROR);
    }
    if packet.is_fragment() {
        return Ok(Way::FRAGMENT);
    }
    let Some(service) = service::find(packet, tables)? else {
        return reply::translate(frame, packet, settings, tables);
    };
    policy::check(packet)?;
    if service.is_address() {
        return Ok(echo::answer(frame, packet));
    }
    let choice = balance::choose(packet, service, Access::Track, settings, tables)?;
    deliver::to(frame, packet, Part::Packet, choice)
}
