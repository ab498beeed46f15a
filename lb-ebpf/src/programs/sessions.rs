//! Sessions in the kernel, and the two functions of `full-nat` that the verifier checks by themselves.

use core::{ops::Deref, ptr};

use aya_ebpf::{
    Global,
    bindings::{BPF_F_MMAPABLE, xdp_md},
    helpers::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, PerCpuArray},
};
use lb_common::{
    DirectoryEntry, DirectorySet, DropReason, MAX_NODE_ADDRESSES, NodeAddress, Second, ServiceValue, Session,
    SessionId, SessionState,
};
use lb_ebpf::{
    parse::Packet,
    sessions::{Cell, Directory, Ports, SessionTable, carry, carry_error, error_road, follow, free_port, open, road},
    verdict::Way,
};

use crate::{
    flows::{exchange, seconds},
    maps::KernelTables,
    xdp_frame::XdpFrame,
};

#[map(name = "sessions")]
static SESSIONS: Array<Session> = Array::pinned(lb_common::MAX_SESSIONS, BPF_F_MMAPABLE);
#[map(name = "directory")]
static DIRECTORY: Array<DirectorySet> = Array::pinned(lb_common::DIRECTORY_SETS, 0);
#[map(name = "node_addresses")]
static NODE_ADDRESSES: Array<NodeAddress> = Array::pinned(MAX_NODE_ADDRESSES, 0);
/// By address and protocol: where the next search for a port begins.
#[map(name = "port_cursors")]
static PORT_CURSORS: PerCpuArray<u32> = PerCpuArray::pinned(2 * MAX_NODE_ADDRESSES, 0);

/// How many CPUs the machine can have; the loader says it.
#[unsafe(no_mangle)]
static CPUS: Global<u32> = Global::new(1);

/// [`road`] as a global function; returns the word of a [`Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_sessions(context: *mut xdp_md) -> u32 {
    // SAFETY: the verifier makes sure that it is the running program's context.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    road(&mut frame, &tables).word()
}

/// [`error_road`] as a global function; returns the word of a [`Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_session_error(context: *mut xdp_md) -> u32 {
    // SAFETY: as in `sluice_sessions`.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    error_road(&mut frame, &tables).word()
}

/// [`carry`] as a global function. Its answer is a verdict's word, or a drop's reason above it.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_carry(context: *mut xdp_md, packet: *const Packet, service: u64) -> u64 {
    // SAFETY: the verifier lets nobody hand in anything but the context and a packet, or nothing.
    let Some(packet) = (unsafe { packet.as_ref() }) else { return pack(Err(DropReason::Inconsistent)) };
    let Some(service) = ServiceValue::from_word(service) else { return pack(Err(DropReason::Inconsistent)) };
    // SAFETY: as above.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    pack(carry(&mut frame, packet, &service, &tables).map(Way::word))
}

/// [`carry_error`] as a global function, with an answer as that of [`sluice_carry`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_carry_error(
    context: *mut xdp_md,
    packet: *const Packet,
    quoted: *const Packet,
    service: u64,
) -> u64 {
    // SAFETY: as in `sluice_carry`.
    let (Some(packet), Some(quoted)) = (unsafe { (packet.as_ref(), quoted.as_ref()) }) else {
        return pack(Err(DropReason::Inconsistent));
    };
    let Some(service) = ServiceValue::from_word(service) else { return pack(Err(DropReason::Inconsistent)) };
    // SAFETY: as in `sluice_carry`.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    pack(carry_error(&mut frame, packet, quoted, &service, &tables).map(Way::word))
}

/// [`follow`] as a global function, with an answer as that of [`sluice_carry`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_follow(context: *mut xdp_md, packet: *const Packet) -> u64 {
    // SAFETY: as in `sluice_carry`.
    let Some(packet) = (unsafe { packet.as_ref() }) else { return pack(Err(DropReason::Inconsistent)) };
    // SAFETY: as in `sluice_carry`.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    pack(follow(&mut frame, packet, &tables).map(Way::word))
}

/// [`open`] as a global function. Its answer is 0, or a drop's reason as in [`sluice_carry`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_open(packet: *const Packet, service: u64) -> u64 {
    // SAFETY: as in `sluice_carry`.
    let Some(packet) = (unsafe { packet.as_ref() }) else { return pack(Err(DropReason::Inconsistent)) };
    let Some(service) = ServiceValue::from_word(service) else { return pack(Err(DropReason::Inconsistent)) };
    // SAFETY: nobody asks for the way here, which is what the context is for.
    let tables = unsafe { KernelTables::new(ptr::null_mut()) };
    pack(open(packet, &service, &tables).map(|()| 0))
}

/// [`free_port`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_free_port(first: u32, count: u32, start: u32, now: u32) -> u64 {
    // SAFETY: as in `sluice_open`.
    let tables = unsafe { KernelTables::new(ptr::null_mut()) };
    free_port(Ports { first: SessionId::from_number(first), count, start }, Second::from_word(now), &tables)
}

/// A result as one word, because a global function can answer no more.
#[inline(always)]
pub(crate) fn pack(result: Result<u32, DropReason>) -> u64 {
    match result {
        Ok(word) => u64::from(word),
        Err(reason) => (reason as u64 + 1) << 32,
    }
}

/// The result in such a word.
#[inline(always)]
pub(crate) fn unpack(word: u64) -> Result<u32, DropReason> {
    match (word >> 32) as u32 {
        0 => Ok(word as u32),
        reason => Err(DropReason::from_index(reason - 1).unwrap_or(DropReason::Inconsistent)),
    }
}

impl SessionTable for KernelTables {
    #[inline(always)]
    fn now(&self) -> Second {
        Second::new(seconds())
    }

    #[inline(always)]
    fn directory(&self, set: u32) -> Option<impl Directory> {
        DIRECTORY.get_ptr_mut(set).map(KernelDirectory)
    }

    #[inline(always)]
    fn session(&self, id: SessionId) -> Option<impl Cell> {
        SESSIONS.get_ptr_mut(id.number()).map(KernelCell)
    }

    #[inline(always)]
    fn node_address(&self, number: u32) -> Option<&NodeAddress> {
        NODE_ADDRESSES.get(number)
    }

    #[inline(always)]
    fn cpu(&self) -> (u32, u32) {
        // SAFETY: the helper has no preconditions.
        (unsafe { bpf_get_smp_processor_id() }, CPUS.load())
    }

    #[inline(always)]
    fn cursor(&self, address: u32, is_tcp: bool) -> u32 {
        PORT_CURSORS.get(cursor_index(address, is_tcp)).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn set_cursor(&self, address: u32, is_tcp: bool, cursor: u32) {
        if let Some(place) = PORT_CURSORS.get_ptr_mut(cursor_index(address, is_tcp)) {
            // SAFETY: the slot belongs to this CPU, and an XDP program is not interrupted by another on the same CPU.
            unsafe { *place = cursor };
        }
    }

    #[inline(always)]
    fn free_port(&self, ports: Ports, now: Second) -> u64 {
        sluice_free_port(ports.first.number(), ports.count, ports.start, now.word())
    }
}

#[inline(always)]
const fn cursor_index(address: u32, is_tcp: bool) -> u32 {
    address * 2 + is_tcp as u32
}

/// A set of the directory in the kernel.
struct KernelDirectory(*mut DirectorySet);

impl KernelDirectory {
    /// The address of a way's word. The mask tells the verifier what the callers know.
    #[inline(always)]
    fn word(&self, way: u32) -> *mut u64 {
        // SAFETY: the map's element has that many words, and elements of an array map are never freed.
        unsafe { self.0.cast::<u64>().add(way as usize & (lb_common::DIRECTORY_WAYS as usize - 1)) }
    }
}

impl Directory for KernelDirectory {
    #[inline(always)]
    fn entry(&self, way: u32) -> DirectoryEntry {
        // SAFETY: `word` is valid and aligned; one 64-bit load is atomic.
        DirectoryEntry::from_word(unsafe { self.word(way).read_volatile() })
    }

    #[inline(always)]
    fn replace(&self, way: u32, old: DirectoryEntry, new: DirectoryEntry) -> bool {
        // SAFETY: `word` is valid and aligned.
        unsafe { exchange(self.word(way), old.word(), new.word()) }
    }
}

/// A session in the kernel.
struct KernelCell(*mut Session);

impl Cell for KernelCell {
    #[inline(always)]
    fn state(&self) -> SessionState {
        // SAFETY: elements of an array map are aligned to 8 and never freed; one 64-bit load is atomic.
        SessionState::from_word(unsafe { (&raw const (*self.0).state).read_volatile() })
    }

    #[inline(always)]
    fn replace(&self, old: SessionState, new: SessionState) -> bool {
        // SAFETY: as in `state`.
        unsafe { exchange(&raw mut (*self.0).state, old.word(), new.word()) }
    }

    #[inline(always)]
    fn session(&self) -> impl Deref<Target = Session> {
        // SAFETY: elements are never freed. A session that another CPU writes at this moment is not relied upon: its state says so.
        unsafe { &*self.0 }
    }

    #[inline(always)]
    fn write(&self, session: &Session) {
        // SAFETY: as in `state`; the session's state is busy, and that this CPU has made it.
        unsafe {
            let place = &mut *self.0;
            place.client = session.client;
            place.service = session.service;
            place.backend = session.backend;
            place.client_port = session.client_port;
            place.service_port = session.service_port;
            place.backend_port = session.backend_port;
            place.slot = session.slot;
        }
    }
}
