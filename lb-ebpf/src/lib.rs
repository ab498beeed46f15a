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

pub mod echo;
pub mod reply;
pub mod verdict;

pub mod agent;

use core::hint::black_box;

use lb_common::DropReason;

use crate::{frame::Frame, tables::Tables, verdict::Verdict};

/// What becomes of one frame: the whole datapath. Drops are counted here.
///
/// The outcome goes through memory. Where ways with and without a drop's reason meet in registers, LLVM may copy the reason
/// that the latter do not have, and the verifier refuses to read a register that nobody wrote.
#[inline(always)]
pub fn process(frame: &mut impl Frame, tables: &impl Tables) -> Verdict {
    match *black_box(&forward(frame, tables)) {
        Ok(verdict) => verdict,
        Err(reason) => {
            tables.count_drop(reason);
            Verdict::Drop
        }
    }
}

/// The journey of a packet.
#[inline(always)]
fn forward(frame: &mut impl Frame, tables: &impl Tables) -> Result<Verdict, DropReason> {
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Ok(Verdict::Pass) };
    let Some(settings) = tables.settings() else { return Ok(Verdict::Pass) };
    firewall::admit(packet, settings, tables)?;
    let Some(service) = service::find(packet, tables)? else {
        return reply::translate(frame, packet, settings, tables);
    };
    if service::is_address(service) {
        return Ok(echo::answer(frame, packet));
    }
    let backend = balance::choose(packet, service, settings, tables)?;
    deliver::to(frame, packet, backend)
}
