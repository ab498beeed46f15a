//! The agent's XDP program: takes the outer headers of `ipip` and `gue` off on a backend.

#![no_std]
#![no_main]
#![allow(linker_messages, reason = "bpf-linker warns of an LLVM library that it does not need")]

mod runtime;
mod xdp_frame;

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{Array, HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::XdpContext,
};
use lb_common::{Address, Hits};
use lb_ebpf::agent::{AgentTables, decapsulate};

use crate::xdp_frame::XdpFrame;

#[map(name = "addresses")]
static ADDRESSES: HashMap<Address, u32> = HashMap::with_max_entries(lb_common::MAX_SERVICE_ENTRIES, 0);
/// Prefixes of addresses, in network byte order. They are asked for what `addresses` does not have.
#[map(name = "prefixes")]
static PREFIXES: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(lb_common::MAX_SERVICE_ENTRIES, 0);
#[map(name = "nodes")]
static NODES: HashMap<Address, u32> = HashMap::with_max_entries(lb_common::MAX_NODES, 0);
/// 1 if only packets from `nodes` are taken, 0 if all are.
#[map(name = "restricted")]
static RESTRICTED: Array<u32> = Array::with_max_entries(1, 0);
/// The UDP port at which GUE packets arrive.
#[map(name = "gue_port")]
static GUE_PORT: Array<u32> = Array::with_max_entries(1, 0);
#[map(name = "decapsulated")]
static DECAPSULATED: PerCpuArray<Hits> = PerCpuArray::with_max_entries(1, 0);

struct KernelTables;

impl AgentTables for KernelTables {
    #[inline(always)]
    fn serves(&self, address: &Address) -> bool {
        // SAFETY: only the presence of the entry is looked at.
        unsafe { ADDRESSES.get(address) }.is_some() || PREFIXES.get(&Key::new(128, address.octets())).is_some()
    }

    #[inline(always)]
    fn trusts(&self, source: &Address) -> bool {
        // SAFETY: as above.
        RESTRICTED.get(0).is_none_or(|&restricted| restricted == 0) || unsafe { NODES.get(source) }.is_some()
    }

    #[inline(always)]
    fn gue_port(&self) -> u16 {
        GUE_PORT.get(0).map_or(0, |&port| port as u16)
    }

    #[inline(always)]
    fn count_decapsulated(&self, bytes: u64) {
        if let Some(hits) = DECAPSULATED.get_ptr_mut(0) {
            // SAFETY: the slot belongs to this CPU, and XDP programs do not interrupt each other on one CPU.
            let hits = unsafe { &mut *hits };
            hits.packets += 1;
            hits.bytes += bytes;
        }
    }
}

/// Entry point: one call for each frame.
#[xdp(frags)]
fn sluice_agent(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    decapsulate(&mut frame, &KernelTables);
    xdp_action::XDP_PASS
}
