//! The node's sockets, as the kernel knows them.

use aya_ebpf::{
    bindings::{
        BPF_F_CURRENT_NETNS, BPF_TCP_ESTABLISHED, BPF_TCP_LISTEN, bpf_sock, bpf_sock_tuple as Tuple,
        bpf_sock_tuple__bindgen_ty_1 as Ends, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 as EndsV4,
        bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 as EndsV6, xdp_md,
    },
    helpers::{bpf_sk_lookup_udp, bpf_sk_release, bpf_skc_lookup_tcp},
};
use lb_ebpf::{parse::Packet, tables::Socket, wire::protocol};

/// The node's own network, as the helpers want it.
const NETWORK: u64 = BPF_F_CURRENT_NETNS as i64 as u64;

/// The socket that a packet of TCP or UDP is for.
///
/// # Safety
///
/// `context` is what the kernel handed to the running XDP program.
#[inline(always)]
pub(crate) unsafe fn find(context: *mut xdp_md, packet: &Packet) -> Socket {
    let (mut tuple, bytes) = tuple(packet);
    let is_tcp = packet.protocol == protocol::TCP;
    // SAFETY: as the caller promises; the tuple lives as long as the call.
    let socket: *mut bpf_sock = unsafe {
        if is_tcp {
            bpf_skc_lookup_tcp(context.cast(), &raw mut tuple, bytes, NETWORK, 0)
        } else {
            bpf_sk_lookup_udp(context.cast(), &raw mut tuple, bytes, NETWORK, 0)
        }
    };
    if socket.is_null() {
        return Socket::None;
    }
    // SAFETY: the kernel found it and holds it until it is released, once, here.
    let state = unsafe {
        let state = (*socket).state;
        bpf_sk_release(socket.cast());
        state
    };
    let is_connected = if is_tcp { state != BPF_TCP_LISTEN } else { state == BPF_TCP_ESTABLISHED };
    if is_connected { Socket::Connected } else { Socket::Open }
}

/// What the kernel is asked for, and how many bytes of it count.
#[inline(always)]
fn tuple(packet: &Packet) -> (Tuple, u32) {
    let (sport, dport) = (packet.source_port.to_be(), packet.destination_port.to_be());
    let mut ends = Ends { ipv6: EndsV6 { saddr: [0; 4], daddr: [0; 4], sport: 0, dport: 0 } };
    let bytes = if packet.is_v4() {
        ends.ipv4 =
            EndsV4 { saddr: packet.source.low().to_be(), daddr: packet.destination.low().to_be(), sport, dport };
        size_of::<EndsV4>()
    } else {
        let (saddr, daddr) = (packet.source.0.map(u32::to_be), packet.destination.0.map(u32::to_be));
        ends.ipv6 = EndsV6 { saddr, daddr, sport, dport };
        size_of::<EndsV6>()
    };
    (Tuple { __bindgen_anon_1: ends }, bytes as u32)
}
