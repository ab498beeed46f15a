//! SYN protection: a source must show that it is where it says before its SYN goes on. Nothing is kept until it has.
//!
//! Problem: a flood of SYNs from made-up addresses fills the backends' queues. Only the direction from client to node is
//! seen here, and no more is asked of backends. Mechanism: the SYN of a stranger is answered with a bare ACK whose
//! acknowledgement number is a keyed hash of the connection's ends (`cookie`). A real stack did not expect it and answers
//! with a reset that has this number (RFC 9293, section 3.10.7.3): its source is let in for a time (`sources`), the reset
//! ends here, and the SYN that the client's stack sends again goes on. The answer is never larger than the SYN.
//! Trade-off: a reset proves the address, not that its owner wants a connection, because a host answers an unexpected ACK so
//! in any state; how many SYNs a second a source may send is limited therefore. Where resets are filtered, a SYN goes on
//! when it comes a second time as stacks send them again (`retries`); so many a second, because a flood can do that, too.
//!
//! Only SYNs and resets of services whose protection is active come here. No packet of an open connection is held up: a reset
//! that is no proof goes on.

mod cookie;
mod pace;
mod question;
mod retries;
mod sources;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
mod watch;

use lb_common::{
    Address, DropReason, HashKey, SYN_ANSWER_LINES, SYN_PACE_LINES, SYN_RETRY_LINES, SYN_SAMPLE_LINES,
    SYN_SOURCE_LINES, ServiceFlags, ServiceValue, SynEvent, SynSettings,
};

pub use self::{
    cookie::{Segment, cookie},
    watch::watch,
};
use self::{pace::Pace, sources::Standing};
use crate::{
    firewall,
    frame::Frame,
    parse::{Packet, Transport},
    tables::Tables,
    wire::tcp::flags::{ACK, RST, SYN},
};

/// What the datapath remembers for SYN protection: tables of lines, each found by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Memory {
    /// Sources that have proved themselves.
    Sources,
    /// SYNs that may come again.
    Retries,
    /// How many SYNs were answered lately, by prefix of the source.
    Answers,
    /// How many SYNs were let in lately because they came again, by service.
    Paces,
    /// Sampled flows whose second packet is awaited.
    Samples,
}

impl Memory {
    /// How many lines it has.
    #[inline(always)]
    pub const fn lines(self) -> u32 {
        match self {
            Self::Sources => SYN_SOURCE_LINES,
            Self::Retries => SYN_RETRY_LINES,
            Self::Answers => SYN_ANSWER_LINES,
            Self::Paces => SYN_PACE_LINES,
            Self::Samples => SYN_SAMPLE_LINES,
        }
    }
}

/// The line of [`Memory::Sources`] that a source is in.
pub const fn line_of(source: &Address, key: &HashKey) -> u32 {
    sources::place(sources::identity(source), key) & (Memory::Sources.lines() - 1)
}

/// The memories, the clock and the counters.
pub trait SynTables {
    /// What the daemon has set; `None` only before it has.
    fn syn_settings(&self) -> Option<&SynSettings>;

    /// Milliseconds since the machine started, by the coarse clock.
    fn now_ms(&self) -> u64;

    /// The line of a memory whose number ends in the last bits of `number`.
    fn line(&self, memory: Memory, number: u32) -> Option<impl Line>;

    /// Counts an event of a service.
    fn count_syn(&self, service: u16, event: SynEvent);
}

/// A line of a memory: eight words. Other CPUs read and write it at the same time; `word` is below eight.
pub trait Line {
    /// The word.
    fn load(&self, word: u32) -> u64;

    /// Writes the word.
    fn store(&self, word: u32, value: u64);

    /// Replaces the word, if it is still what it was.
    fn replace(&self, word: u32, old: u64, new: u64) -> bool;
}

/// A segment that opens or resets a connection to a service whose protection is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Where the IP header begins, in bytes from the start of the frame.
    pub network_offset: u32,
    /// Where the TCP header begins.
    pub transport_offset: u32,
    /// Whether it is IPv4.
    pub is_v4: bool,
    /// The service's id.
    pub service: u16,
    /// Whether nothing is to be done, only counted.
    pub is_observed: bool,
}

/// What becomes of such a segment: one word, because in the kernel a function of its own answers with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement(u32);

impl Judgement {
    /// It goes on to a backend.
    const GO_ON: Self = Self(0);
    /// Its sender is to be asked for a cookie.
    const ASK: Self = Self(1);
    /// It is dropped as [`DropReason::SynUnproved`].
    const UNPROVED: Self = Self(2);
    /// It is dropped as [`DropReason::SynLimited`].
    const LIMITED: Self = Self(3);
    /// It is dropped as [`DropReason::SynProof`].
    const PROOF: Self = Self(4);

    /// What a word says.
    #[inline(always)]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// The word.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// Whether its sender is to be asked, or else why it is dropped if it does not go on.
    #[inline(always)]
    const fn is_question(self) -> Result<bool, DropReason> {
        match self {
            Self::GO_ON => Ok(false),
            Self::ASK => Ok(true),
            Self::LIMITED => Err(DropReason::SynLimited),
            Self::PROOF => Err(DropReason::SynProof),
            _ => Err(DropReason::SynUnproved),
        }
    }
}

/// Lets a packet go on to a backend, or makes it the answer to its sender: then it returns `true`.
#[inline(always)]
pub(crate) fn guard(
    frame: &mut impl Frame,
    packet: &Packet,
    service: ServiceValue,
    tables: &impl Tables,
) -> Result<bool, DropReason> {
    let Transport::Tcp { flags } = packet.transport else { return Ok(false) };
    let is_concerned = flags & RST != 0 || flags & (SYN | ACK) == SYN;
    // The lists are asked here and not in `judge`, whose stack leaves no room for them.
    if !service.is_guarded() || !is_concerned || firewall::allows(packet, service.id, tables) {
        return Ok(false);
    }
    let contact = Contact {
        network_offset: packet.network_offset,
        transport_offset: packet.transport_offset,
        is_v4: packet.is_v4(),
        service: service.id,
        is_observed: service.flags & ServiceFlags::OBSERVED != 0,
    };
    if !tables.judge(frame, contact).is_question()? {
        return Ok(false);
    }
    if tables.ask(frame, contact) { Ok(true) } else { Err(DropReason::SynUnproved) }
}

/// Whether a first fragment may not go on: protection is active, and no honest client's SYN is in pieces.
#[inline(always)]
pub(crate) const fn refuses_fragment(packet: &Packet, service: &ServiceValue) -> bool {
    service.is_guarded() && service.flags & ServiceFlags::OBSERVED == 0 && packet.opens_flow()
}

/// Notes a segment to a service, if that is watched and the flow with this hash is in the sample.
#[inline(always)]
pub(crate) fn observe(packet: &Packet, hash: u64, service: &ServiceValue, tables: &impl Tables) {
    if service.is_watched()
        && watch::is_sampled(hash)
        && let Transport::Tcp { flags } = packet.transport
    {
        // Flows of one client may have one hash.
        tables.watch(hash ^ (packet.source_port as u64) << 32, service.id, flags);
    }
}

/// What becomes of a segment that opens or resets a connection.
#[inline(always)]
pub fn judge(frame: &impl Frame, contact: Contact, memories: &impl SynTables, tables: &impl Tables) -> Judgement {
    let (Some(settings), Some(general)) = (memories.syn_settings(), tables.settings()) else {
        return Judgement::GO_ON;
    };
    let mut segment = Segment::default();
    if segment.read(frame, &contact).is_none() {
        return Judgement::GO_ON;
    }
    let key = &general.hash_key;
    if segment.is_reset {
        return reset(&segment, &contact, settings, key, memories);
    }
    open(&segment, &contact, settings, key, memories)
}

/// Makes a SYN the question to its sender; whether that could be done.
#[inline(always)]
pub fn ask(frame: &mut impl Frame, contact: Contact, memories: &impl SynTables) -> bool {
    let mut segment = Segment::default();
    let Some(settings) = memories.syn_settings() else { return false };
    if segment.read(frame, &contact).is_none() {
        return false;
    }
    let is_done = question::write(frame, &contact, &segment, cookie(&segment, settings, settings.epoch)).is_some();
    if is_done {
        memories.count_syn(contact.service, SynEvent::Challenged);
    }
    is_done
}

/// A reset: does it bring a cookie back?
#[inline(always)]
fn reset(
    segment: &Segment,
    contact: &Contact,
    settings: &SynSettings,
    key: &HashKey,
    memories: &impl SynTables,
) -> Judgement {
    if contact.is_observed {
        return Judgement::GO_ON;
    }
    if !cookie::is_brought_back(segment, settings) {
        memories.count_syn(contact.service, SynEvent::Refused);
        return Judgement::GO_ON;
    }
    let source = sources::identity(&segment.source);
    if sources::admit(source, settings, key, memories) {
        memories.count_syn(contact.service, SynEvent::Proved);
    }
    Judgement::PROOF
}

/// A SYN: is its source known, or does it come again?
#[inline(always)]
fn open(
    segment: &Segment,
    contact: &Contact,
    settings: &SynSettings,
    key: &HashKey,
    memories: &impl SynTables,
) -> Judgement {
    let source = sources::identity(&segment.source);
    match sources::ask(source, settings, key, memories) {
        Standing::Welcome => {
            memories.count_syn(contact.service, SynEvent::Admitted);
            return Judgement::GO_ON;
        }
        Standing::TooMany => {
            memories.count_syn(contact.service, SynEvent::Limited);
            return if contact.is_observed { Judgement::GO_ON } else { Judgement::LIMITED };
        }
        Standing::Unknown => {}
    }
    if contact.is_observed {
        memories.count_syn(contact.service, SynEvent::Challenged);
        return Judgement::GO_ON;
    }
    if retries::comes_again(segment, key, memories)
        && Pace::of_service(contact.service).spend(settings.retries, memories)
    {
        memories.count_syn(contact.service, SynEvent::Retried);
        return Judgement::GO_ON;
    }
    if !Pace::of_prefix(source, key).spend(settings.answers, memories) {
        memories.count_syn(contact.service, SynEvent::Unanswered);
        return Judgement::UNPROVED;
    }
    Judgement::ASK
}
