//! Sizes of the maps, with the arithmetic that chose them.

/// Entries of the `services` table: each service has one for each single port, each service address one more, and so
/// has each address and protocol with port ranges. A configuration has half of them at the most, because all of them
/// may be replaced at once.
pub const MAX_SERVICE_ENTRIES: u32 = 4096;

/// Blocks of port ranges, 512 KiB: one for each service, while every one of them is being replaced.
pub const MAX_PORT_BLOCKS: u32 = 2 * MAX_SERVICES;

/// Lengths of service prefixes in each family. Each costs a packet that no single address matches two look-ups.
pub const MAX_PREFIX_LENGTHS: usize = 4;

/// Allowed sources of all services together. The configuration has half of them at the most, because all of them may be
/// replaced at once.
pub const MAX_SOURCES: u32 = 1 << 17;

/// Service ids: the counters of all of them take 1024 × 24 bytes a CPU.
pub const MAX_SERVICES: u32 = 1024;

/// Backend slots. A row has 15 bits for a slot and its last value means nobody; half of that is 1 MiB of array
/// and 384 KiB of counters a CPU.
pub const MAX_BACKENDS: u32 = 16384;

/// Rows of all rings together: 4 MiB. That is 128 services with the default ring while every one of them is being
/// switched to a new one, 256 otherwise.
pub const MAX_ROWS: u32 = 1 << 20;

/// Sets of the flow table, a power of two: 1 Mi entries in 8 MiB. Only flows of unsettled rows are in it; the
/// simulation asks for four times as many entries as there are such flows.
pub const FLOW_SETS: u32 = 1 << 17;

/// Sets of the table of fragmented packets, a power of two: 32 Ki packets in 256 KiB, of which each is remembered for 30
/// seconds. That is a thousand fragmented packets a second.
pub const FRAGMENT_SETS: u32 = 1 << 12;

/// MAC addresses that frames for this node may be addressed to.
pub const MAX_MACS: usize = 16;

/// Addresses of the node that `full-nat` sessions come from.
pub const MAX_NODE_ADDRESSES: u32 = 4;

/// Sessions of `full-nat`: one for each port of each protocol of each node address, 64 bytes each, 32 MiB together.
pub const MAX_SESSIONS: u32 = 1 << crate::SessionId::BITS;

/// Sets of the directory of sessions, a power of two: 1 Mi entries in 8 MiB, twice as many as there are sessions. Four
/// addresses with the default ports fill a set to a quarter on average; one in a thousand then is full.
pub const DIRECTORY_SETS: u32 = 1 << 17;

/// The smallest and largest ring, as powers of two.
pub const RING_BITS: core::ops::RangeInclusive<u32> = 10..=16;

/// Endpoints that `nat` replies may come from: one for each backend slot.
pub const MAX_REPLIES: u32 = MAX_BACKENDS;

/// Lines of four sources that have proved themselves to SYN protection, a power of two: 131,072 sources in 2 MiB.
pub const SYN_SOURCE_LINES: u32 = 1 << 15;

/// Lines of eight SYNs that may come again, a power of two: 524,288 of them in 4 MiB. No newer one takes the place of one
/// that is less than 1.5 s old, so in a flood of 350,000 SYNs a second every one still finds a place.
pub const SYN_RETRY_LINES: u32 = 1 << 16;

/// Lines of eight counters of answered SYNs, a power of two: 65,536 in 512 KiB, each for one prefix in so many.
pub const SYN_ANSWER_LINES: u32 = 1 << 13;

/// Lines of eight counters of SYNs that were let in because they came again: one for each service.
pub const SYN_PACE_LINES: u32 = MAX_SERVICES / crate::SYN_LINE_WORDS as u32;

/// Lines of eight sampled flows whose second packet is awaited, a power of two: 16,384 in 128 KiB. A flow in 64 is in the
/// sample, so each is awaited for a second even if a million SYNs come in it.
pub const SYN_SAMPLE_LINES: u32 = 1 << 11;

/// SYN protection watches whether a flow goes on after its SYN of one flow in so many, a power of two.
pub const SYN_SAMPLE_ONE_IN: u64 = 64;

/// Interfaces that packets may leave by.
pub const MAX_DEVICES: u32 = 64;

/// Nodes that an agent takes encapsulated packets from.
pub const MAX_NODES: u32 = 256;

/// Bytes of the `events` ring buffer.
pub const EVENT_BYTES: u32 = 64 * 1024;

/// Bytes of the `samples` ring buffer: more records than all CPUs together may write in two seconds.
pub const SAMPLE_BYTES: u32 = 256 * 1024;

const _: () = assert!(MAX_BACKENDS < crate::Row::NOBODY as u32);
const _: () = assert!(FLOW_SETS.is_power_of_two());
const _: () = assert!(FRAGMENT_SETS.is_power_of_two());
const _: () = assert!(MAX_NODE_ADDRESSES.is_power_of_two());
const _: () = assert!(DIRECTORY_SETS.is_power_of_two());
const _: () = assert!(
    DIRECTORY_SETS.ilog2() + crate::DIRECTORY_WAYS.ilog2() <= 20,
    "a session's state has 20 bits for the place of its entry"
);
const _: () = assert!(SYN_PACE_LINES.is_power_of_two(), "a line is found by the last bits of a number");
const _: () = assert!(MAX_ROWS.is_multiple_of(crate::ROWS_PER_ELEMENT));
const _: () = assert!(MAX_ROWS / crate::ROWS_PER_ELEMENT <= 1 << 16, "a service's value names an element in 16 bits");
