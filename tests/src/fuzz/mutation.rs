//! Ways to change a frame so that it is wrong in a way that nobody has thought of.

use super::{random::Random, rare};
use crate::packet::repair;

/// The longest frame that mutations make, in bytes: a jumbo frame with more than one header in front.
const MAX_BYTES: usize = 10_000;

/// How much longer one mutation makes a frame at the most: more than an Ethernet frame's length.
const MAX_APPENDED: usize = 1800;

/// Behind this byte there is usually payload only.
const HEADERS_END: usize = 120;

/// Words that lengths, offsets and types stumble over.
const WORDS: [u16; 16] = [0, 1, 4, 5, 7, 8, 19, 20, 28, 39, 40, 0x4000, 0x7fff, 0x8000, 0xfff8, 0xffff];

/// Bytes that change what a header is: versions, protocol numbers, flags.
const BYTES: [u8; 20] = [0, 1, 2, 4, 6, 17, 41, 43, 44, 45, 51, 58, 60, 64, 0x46, 0x4f, 0x60, 0x80, 0xc0, 0xff];

/// A frame with one to five changes; `other` is what may be spliced in. Half of them have right checksums again.
pub(super) fn mutate(frame: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutated = frame.to_vec();
    for _ in 0..1 + random.below(5) {
        change(&mut mutated, other, random);
    }
    mutated.truncate(MAX_BYTES);
    if random.once_in(2) {
        repair(&mut mutated);
    }
    mutated
}

fn change(frame: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    match random.below(12) {
        10 => rare::complain(frame, random),
        11 => rare::cut(frame, random),
        0 | 1 => flip(frame, random),
        2 | 3 => set_byte(frame, random),
        4 | 5 => set_word(frame, random),
        6 => frame.truncate(place(frame, random)),
        7 => append(frame, random),
        8 => splice(frame, other, random),
        _ => copy(frame, other, random),
    }
}

/// An offset within the frame, three times out of four in its headers; 0 in an empty one.
fn place(frame: &[u8], random: &mut Random) -> usize {
    let end = if random.once_in(4) { frame.len() } else { frame.len().min(HEADERS_END) };
    random.below(end.max(1))
}

fn flip(frame: &mut [u8], random: &mut Random) {
    let at = place(frame, random);
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn set_byte(frame: &mut [u8], random: &mut Random) {
    let at = place(frame, random);
    if let Some(byte) = frame.get_mut(at) {
        *byte = if random.once_in(2) { *random.one_of(&BYTES) } else { random.bits() as u8 };
    }
}

/// Edits what may be a length: a word at an even offset.
fn set_word(frame: &mut [u8], random: &mut Random) {
    let length = frame.len() as u16;
    let at = place(frame, random) & !1;
    let Some(word) = frame.get_mut(at..at + 2) else { return };
    let old = u16::from_be_bytes([word[0], word[1]]);
    let new = match random.below(4) {
        0 => *random.one_of(&WORDS),
        1 => old.wrapping_add(1 + random.below(8) as u16),
        2 => old.wrapping_sub(1 + random.below(8) as u16),
        _ => length.wrapping_sub(at as u16).wrapping_add(random.below(5) as u16).wrapping_sub(2),
    };
    word.copy_from_slice(&new.to_be_bytes());
}

fn append(frame: &mut Vec<u8>, random: &mut Random) {
    let most = if random.once_in(8) { MAX_APPENDED } else { 64 };
    frame.extend((0..random.below(most)).map(|_| random.bits() as u8));
}

/// The front of one frame and the back of the other.
fn splice(frame: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let (end, start) = (place(frame, random), place(other, random));
    frame.truncate(end);
    frame.extend(&other[start.min(other.len())..]);
}

/// Bytes of the other frame over those at the same place: a header, an address, a port.
fn copy(frame: &mut [u8], other: &[u8], random: &mut Random) {
    let at = place(frame, random) & !1;
    let bytes = *random.one_of(&[2, 4, 8, 16, 20, 40]);
    let end = (at + bytes).min(frame.len()).min(other.len());
    if at < end {
        frame[at..end].copy_from_slice(&other[at..end]);
    }
}
