//! Changes that make a packet rare: an ICMP error about it, or a fragment of it.

use super::random::Random;

const LINK: usize = 14;
const V4: usize = 20;
const V6: usize = 40;
const ICMP: usize = 8;

/// Makes an untagged packet what a router would send to its receiver, had that sent it the other way: an ICMP error that
/// quotes the beginning of it, turned round. Checksums are left to be repaired.
pub(super) fn complain(frame: &mut Vec<u8>, random: &mut Random) {
    let Some((is_v6, header)) = shape(frame) else { return };
    let mut quoted = frame.split_off(LINK);
    if is_v6 {
        swap(&mut quoted, 8, 24, 16);
    } else {
        swap(&mut quoted, 12, 16, 4);
    }
    swap(&mut quoted, header, header + 2, 2);
    quoted.truncate(header + *random.one_of(&[0, 7, 8, 16, 17, 18, 20, 60, 500]));
    let bytes = ((ICMP + quoted.len()) as u16).to_be_bytes();
    let (kind, code) =
        *random.one_of(if is_v6 { &[(1, 4), (2, 0), (3, 0), (4, 1)] } else { &[(3, 4), (3, 3), (11, 0), (12, 0)] });
    if is_v6 {
        let router = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        frame.extend([0x60, 0, 0, 0, bytes[0], bytes[1], 58, 64]);
        frame.extend(router);
        frame.extend(&quoted[8..24]);
    } else {
        let total = ((V4 + ICMP + quoted.len()) as u16).to_be_bytes();
        frame.extend([0x45, 0, total[0], total[1], 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1]);
        frame.extend(&quoted[12..16]);
    }
    frame.extend([kind, code, 0, 0, 0, 0, 5, 0x78]);
    frame.extend(quoted);
}

/// Makes an untagged packet a fragment, the first or a later one; in IPv6 by a header of its own.
pub(super) fn cut(frame: &mut Vec<u8>, random: &mut Random) {
    let Some((is_v6, _)) = shape(frame) else { return };
    let offset = *random.one_of(&[0, 0, 1, 3, 185]);
    let has_more = offset == 0 || random.once_in(2);
    if !is_v6 {
        let word = if has_more { 0x2000 | offset } else { offset };
        frame[LINK + 6..LINK + 8].copy_from_slice(&u16::to_be_bytes(word));
        return;
    }
    let word = u16::to_be_bytes(offset << 3 | u16::from(has_more));
    let next = std::mem::replace(&mut frame[LINK + 6], 44);
    let bytes = u16::from_be_bytes([frame[LINK + 4], frame[LINK + 5]]).wrapping_add(8);
    frame[LINK + 4..LINK + 6].copy_from_slice(&bytes.to_be_bytes());
    frame.splice(LINK + V6..LINK + V6, [next, 0, word[0], word[1], 0, 0, 0, 9]);
}

/// Whether the packet is IPv6, and how long its IP header is, if all of that is there.
fn shape(frame: &[u8]) -> Option<(bool, usize)> {
    let (kind, packet) = (frame.get(12..LINK)?, frame.get(LINK..)?);
    let (is_v6, header) = match kind {
        [0x08, 0x00] => (false, usize::from(packet.first()? & 15) * 4),
        [0x86, 0xdd] => (true, V6),
        _ => return None,
    };
    (header >= V4 && packet.len() >= header).then_some((is_v6, header))
}

/// Exchanges bytes at two places, if both are there.
fn swap(bytes: &mut [u8], first: usize, second: usize, count: usize) {
    if bytes.len() >= second + count {
        let (front, back) = bytes.split_at_mut(second);
        front[first..first + count].swap_with_slice(&mut back[..count]);
    }
}
