//! The contract between Sluice's datapath (`lb-ebpf`) and its control plane (`lb-userspace`).
//!
//! Everything that both sides of the kernel boundary must agree on stands here, once: the shapes of the BPF maps'
//! keys and values, the flow hash, the names of the drops and the limits. A type that crosses the boundary has no
//! padding and no invalid bit pattern, which zerocopy's derives check at compile time: a padded key would load
//! silently, and the garbage in its padding would become part of the key.

#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod word;

mod address;
mod backend;
mod bench;
mod counter;
mod directory;
mod drop_reason;
mod entry;
mod event;
mod filter;
mod flow;
mod fragment;
mod limit;
mod limits;
mod list;
mod lists;
mod ports;
mod quic;
mod ring;
mod rule;
mod sample;
mod sanity;
mod service;
mod service_line;
mod session;
mod settings;
mod sources;
mod syn;

pub use address::Address;
pub use backend::{BackendFlags, BackendValue, Delivery, Mac};
pub use bench::{BENCH_HEAD_BYTES, BENCH_RESTORED_BYTES, BenchPacket};
pub use counter::{Hits, Traffic};
pub use directory::{DIRECTORY_WAYS, DirectoryEntry, DirectoryPlace, DirectorySet};
pub use drop_reason::DropReason;
pub use entry::{CLOSING_SECONDS, Entry, FLOW_WAYS, FlowSet, KEEP_SECONDS, Tick, UNCONFIRMED_SECONDS};
pub use event::{Event, EventKind};
pub use filter::AddressFilter;
pub use flow::{Flow, HashKey};
pub use fragment::{FRAGMENT_SECONDS, FragmentEntry, Trail};
pub use limit::{
    Bucket, BucketSet, LIMIT_SETS, LIMIT_TOTALS, LIMIT_WAYS, LimitBy, LimitFlags, LimitHits, LimitLine, LimitMeasure,
    MAX_LIMITS, MAX_WINDOW_NS, NOTICE_TOTAL,
};
pub use limits::*;
pub use list::{COUNTED_ENTRIES, LIST_NAME_BYTES, LISTS_OF_A_KIND, ListKind, ListLabel, MAX_LISTS};
pub use lists::*;
pub use ports::{LINES_PER_BLOCK, PortBlock, PortLine, PortSpan, RANGES_PER_BLOCK, RANGES_PER_LINE};
pub use quic::ConnectionIds;
pub use ring::{ROWS_PER_ELEMENT, RingElement, Row, RowState};
pub use rule::{
    MAX_RULE_LINES, MAX_RULES, RULE_BANKS, RuleAction, RuleBlock, RuleLine, SERVICE_INDICES, Subject, Traits,
};
pub use sample::{DropSample, SAMPLE_INTERVAL_BITS, Sampler};
pub use sanity::{AmplifierPorts, MAX_AMPLIFIERS, Sanity};
pub use service::{EndpointKey, ReplyValue, ServiceFlags, ServiceValue};
pub use service_line::{ENTRIES_PER_LINE, MAX_LINE_ENTRIES, SERVICE_LINES, ServiceEntry, ServiceLine};
pub use session::{
    DATAGRAMS_SECONDS, ESTABLISHED_SECONDS, HALF_CLOSED_SECONDS, Mark, NodeAddress, QUESTION_SECONDS, REST_SECONDS,
    Second, Session, SessionId, SessionState, TRANSIENT_SECONDS,
};
pub use settings::{Features, RuleSettings, Settings};
pub use sources::SourceKey;
pub use syn::{SYN_LINE_WORDS, SynEvent, SynLine, SynSettings, SynTraffic};

/// Changes whenever the shape or meaning of a pinned map changes; part of the pin path, so that a daemon never takes
/// over maps of another shape.
pub const LAYOUT_VERSION: u32 = 9;
