//! The rest of the firewall in the kernel, as a function of its own, and its tables.

use aya_ebpf::{
    bindings::xdp_md,
    macros::map,
    maps::{Array, PerCpuArray},
};
use lb_common::{Hits, RuleBlock, RuleLine, Subject};
use lb_ebpf::{
    firewall::{self, rules::Ruling},
    parse::Packet,
    verdict::Way,
};

use crate::{
    maps::{KernelTables, SETTINGS},
    xdp_frame::XdpFrame,
};

/// The rules. Of its blocks the settings name one.
#[map(name = "rules")]
static RULES: Array<RuleBlock> = Array::pinned(lb_common::RULE_BANKS, 0);
#[map(name = "rule_hits")]
static RULE_HITS: PerCpuArray<Hits> = PerCpuArray::pinned(lb_common::MAX_RULES, 0);

/// A packet as the verifier sees it in the arguments of a function: so many bytes.
pub(crate) type PacketWords = [u64; size_of::<Packet>() / 8];

/// The answers that mean that the packet goes on: no drop has these words.
const GOES_ON: u32 = 0;
const PASSED: u32 = 1;

/// [`firewall::screen`] as a global function, for the same reason as `flows::sluice_steer`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_screen(context: *mut xdp_md, packet: *const PacketWords) -> u32 {
    // SAFETY: the only caller hands over the context of the running program.
    let (frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    // SAFETY: the only caller made the words from a packet that lives as long as the call. The verifier asks for the test.
    let Some(packet) = (unsafe { packet.cast::<Packet>().as_ref() }) else { return GOES_ON };
    let Some(settings) = SETTINGS.get(0) else { return GOES_ON };
    match firewall::screen(&frame, packet, settings, &tables) {
        Ok(Ruling::Undecided) => GOES_ON,
        Ok(Ruling::Pass) => PASSED,
        Err(way) => way.word(),
    }
}

/// Asks [`sluice_screen`].
#[inline(always)]
pub(crate) fn screen(context: *mut xdp_md, packet: &Packet) -> Result<Ruling, Way> {
    match sluice_screen(context, core::ptr::from_ref(packet).cast()) {
        GOES_ON => Ok(Ruling::Undecided),
        PASSED => Ok(Ruling::Pass),
        word => Err(Way::from_word(word)),
    }
}

/// A line and a subject as the verifier sees them in the arguments of a function.
type LineWords = [u64; size_of::<RuleLine>() / 8];
type SubjectWords = [u64; size_of::<Subject>() / 8];

/// [`RuleLine::matches`] as a global function: the verifier would follow each of its ways out through all lines behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_matches(line: *const LineWords, subject: *const SubjectWords) -> u32 {
    // SAFETY: the only caller made the words from both, which live as long as the call. The verifier asks for the test.
    let (line, subject) = unsafe { (line.cast::<RuleLine>().as_ref(), subject.cast::<Subject>().as_ref()) };
    let (Some(line), Some(subject)) = (line, subject) else { return 0 };
    line.matches(subject).into()
}

/// Asks [`sluice_matches`], unless one comparison tells already.
#[inline(always)]
pub(crate) fn matches(line: &RuleLine, subject: &Subject) -> bool {
    line.suits(subject) && sluice_matches(core::ptr::from_ref(line).cast(), core::ptr::from_ref(subject).cast()) != 0
}

/// A block of rules and limits.
#[inline(always)]
pub(crate) fn rules(bank: u32) -> Option<&'static RuleBlock> {
    RULES.get(bank)
}

/// Counts a packet for a rule.
#[inline(always)]
pub(crate) fn count_rule(rule: u32, bytes: u64) {
    count(&RULE_HITS, rule, bytes);
}

#[inline(always)]
fn count(map: &PerCpuArray<Hits>, index: u32, bytes: u64) {
    if let Some(hits) = map.get_ptr_mut(index) {
        // SAFETY: the slot belongs to this CPU, and an XDP program is not interrupted by another on the same CPU.
        let hits = unsafe { &mut *hits };
        hits.packets += 1;
        hits.bytes += bytes;
    }
}
