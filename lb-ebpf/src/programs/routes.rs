//! The way to a packet's destination, as the kernel knows it.

use aya_ebpf::{
    bindings::{bpf_fib_lookup as FibLookup, xdp_md},
    helpers::bpf_fib_lookup,
};
use lb_common::{Address, Mac};
use lb_ebpf::{parse::Packet, tables::Route};

use crate::scratch;

/// AF_INET, as the kernel's FIB look-up wants it.
const FAMILY_V4: u8 = 2;
/// AF_INET6.
const FAMILY_V6: u8 = 10;

/// The kernel's way to a packet's destination.
///
/// # Safety
///
/// `context` is what the kernel handed to the running XDP program, and nothing else of the run uses [`scratch::query`].
#[inline(always)]
pub(crate) unsafe fn find(context: *mut xdp_md, packet: &Packet) -> Route {
    // SAFETY: as the caller promises.
    let Some(query) = (unsafe { scratch::query() }) else { return Route::Unreachable };
    ask(query, packet);
    // SAFETY: as the caller promises; the ingress interface is where forwarding is decided.
    let answer = unsafe {
        query.ifindex = (*context).ingress_ifindex;
        bpf_fib_lookup(context.cast(), &raw mut *query, size_of::<FibLookup>() as i32, 0)
    };
    route(query, answer)
}

/// Asks the kernel about the packet's destination.
#[inline(always)]
fn ask(query: &mut FibLookup, packet: &Packet) {
    // SAFETY: the structure is plain integers, for which all zeros is a value.
    *query = unsafe { core::mem::zeroed() };
    query.l4_protocol = packet.protocol;
    query.sport = packet.source_port.to_be();
    query.dport = packet.destination_port.to_be();
    query.__bindgen_anon_1.tot_len = packet.ip_bytes as u16;
    if packet.is_v4() {
        query.family = FAMILY_V4;
        query.__bindgen_anon_2.tos = packet.traffic_class;
        query.__bindgen_anon_3.ipv4_src = packet.source.low().to_be();
        query.__bindgen_anon_4.ipv4_dst = packet.destination.low().to_be();
    } else {
        query.family = FAMILY_V6;
        query.__bindgen_anon_3.ipv6_src = packet.source.0.map(u32::to_be);
        query.__bindgen_anon_4.ipv6_dst = packet.destination.0.map(u32::to_be);
    }
}

/// What the kernel answered.
#[inline(always)]
fn route(answer: &FibLookup, code: i64) -> Route {
    use aya_ebpf::bindings::{
        BPF_FIB_LKUP_RET_FRAG_NEEDED as FRAG_NEEDED, BPF_FIB_LKUP_RET_NO_NEIGH as NO_NEIGHBOUR,
        BPF_FIB_LKUP_RET_NOT_FWDED as NOT_FORWARDED, BPF_FIB_LKUP_RET_SUCCESS as SUCCESS,
    };
    if code < 0 {
        return Route::Unreachable;
    }
    match code as u32 {
        SUCCESS => {
            // SAFETY: on success the helper has filled in the MAC addresses.
            let macs = unsafe { answer.__bindgen_anon_6.__bindgen_anon_2 };
            Route::Neighbour { ifindex: answer.ifindex, mac: Mac::new(macs.dmac), source_mac: Mac::new(macs.smac) }
        }
        NOT_FORWARDED => Route::Local,
        NO_NEIGHBOUR => {
            // SAFETY: the helper has put the next hop's address where the destination was. An IPv4 packet's next hop
            // may have an IPv6 address (RFC 5549).
            let address = unsafe {
                if answer.family == FAMILY_V4 {
                    Address::v4(u32::from_be(answer.__bindgen_anon_4.ipv4_dst))
                } else {
                    Address::v6(answer.__bindgen_anon_4.ipv6_dst.map(u32::from_be))
                }
            };
            Route::Unresolved { ifindex: answer.ifindex, address }
        }
        // SAFETY: with this answer the helper has put the MTU where the length was.
        FRAG_NEEDED => Route::TooBig { mtu: unsafe { answer.__bindgen_anon_1.mtu_result } },
        _ => Route::Unreachable,
    }
}
