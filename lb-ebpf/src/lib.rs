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
pub mod service;

pub mod balance;
pub mod deliver;

pub mod drops;
pub mod echo;
pub mod reply;
pub mod verdict;

pub mod agent;

use lb_common::DropReason;

use crate::{
    frame::Frame,
    tables::Tables,
    verdict::{Verdict, Way},
};

/// What becomes of one frame: the whole datapath. Drops are noted here.
#[inline(always)]
pub fn process(frame: &mut impl Frame, tables: &impl Tables) -> Verdict {
    match forward(frame, tables) {
        Ok(way) => way.verdict(),
        Err(reason) => {
            drops::note(frame, reason, tables);
            Verdict::Drop
        }
    }
}

/// The journey of a packet.
#[inline(always)]
fn forward(frame: &mut impl Frame, tables: &impl Tables) -> Result<Way, DropReason> {
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(Way::PASS) };
    let Some(settings) = tables.settings() else { return Ok(Way::PASS) };
    firewall::admit(packet, settings, tables)?;
    let Some(service) = service::find(packet, settings, tables)? else {
        return reply::translate(frame, packet, settings, tables);
    };
    if service.is_address() {
        return Ok(echo::answer(frame, packet));
    }
    service::admit(packet, service, tables)?;
    let backend = balance::choose(frame, packet, &service, settings, tables)?;
    deliver::to(frame, packet, backend)
}
