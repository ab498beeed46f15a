//! Right checksums for a frame whose bytes were changed, as far as it still has any.

/// Corrects the checksums of IPv4, TCP, UDP and ICMP headers, outer and inner. Lengths are taken as they are; what they
/// leave no room for stays as it is.
pub fn repair(frame: &mut [u8]) {
    // How far it could get is nobody's business: a broken header ends it.
    let _ = network(frame);
}

fn network(frame: &mut [u8]) -> Option<()> {
    let mut at = 12;
    while matches!(word(frame, at)?, 0x8100 | 0x88a8) {
        at += 4;
    }
    let kind = word(frame, at)?;
    let packet = frame.get_mut(at + 2..)?;
    match kind {
        0x0800 => v4(packet),
        0x86dd => v6(packet),
        _ => None,
    }
}

fn v4(packet: &mut [u8]) -> Option<()> {
    let (header, total) = (usize::from(packet.first()? & 15) * 4, usize::from(word(packet, 2)?));
    let packet = packet.get_mut(..total)?;
    let (head, rest) = packet.split_at_mut_checked(header)?;
    put(head, 10, 0)?;
    let sum = checksum(&[head]);
    put(head, 10, sum)?;
    if word(head, 6)? & 0x3fff != 0 {
        return None;
    }
    let number = *head.get(9)?;
    transport(number, head.get(12..20)?, rest)
}

fn v6(packet: &mut [u8]) -> Option<()> {
    let total = 40 + usize::from(word(packet, 4)?);
    let (head, mut rest) = packet.get_mut(..total)?.split_at_mut_checked(40)?;
    let mut number = head[6];
    loop {
        let length = match number {
            0 | 43 | 60 => usize::from(*rest.get(1)?) * 8 + 8,
            51 => usize::from(*rest.get(1)?) * 4 + 8,
            44 if word(rest, 2)? & 0xfff9 != 0 => return None,
            44 => 8,
            _ => break,
        };
        number = *rest.first()?;
        rest = rest.get_mut(length..)?;
    }
    transport(number, &head[8..40], rest)
}

fn transport(number: u8, addresses: &[u8], bytes: &mut [u8]) -> Option<()> {
    let at = match (number, addresses.len()) {
        (4, _) => return v4(bytes),
        (41, _) => return v6(bytes),
        (6, _) => 16,
        (17, _) if word(bytes, 6)? == 0 => return None,
        (17, _) => 6,
        (1, 8) | (58, 32) => 2,
        _ => return None,
    };
    let pseudo = [addresses, &[0, number], &(bytes.len() as u32).to_be_bytes()].concat();
    put(bytes, at, 0)?;
    let sum = if number == 1 { checksum(&[bytes]) } else { checksum(&[&pseudo, bytes]) };
    put(bytes, at, if number == 17 && sum == 0 { 0xffff } else { sum })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn put(bytes: &mut [u8], at: usize, word: u16) -> Option<()> {
    bytes.get_mut(at..at + 2)?.copy_from_slice(&word.to_be_bytes());
    Some(())
}

/// RFC 1071.
fn checksum(parts: &[&[u8]]) -> u16 {
    let pairs = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = pairs.map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    !(folded as u16)
}

#[cfg(test)]
mod tests {
    use super::repair;
    use crate::{
        cases,
        packet::{Damage, oracle},
    };

    #[test]
    fn what_is_right_stays_and_a_wrong_payload_is_made_right() {
        let mut repaired = 0;
        for case in cases::table().into_iter().filter(|case| oracle::check(&case.frame).is_ok()) {
            let mut frame = case.frame.clone();
            repair(&mut frame);
            assert_eq!(frame, case.frame, "{}", case.name);
            let Some(last) = case.frame.len().checked_sub(1) else { continue };
            let mut frame = case.frame.clone().set(last, &[case.frame[last] ^ 0x40]);
            if oracle::check(&frame).is_err() {
                repair(&mut frame);
                oracle::check(&frame).unwrap_or_else(|error| panic!("{}: {error:#}", case.name));
                repaired += 1;
            }
        }
        assert!(repaired > 100, "only {repaired} frames had a checksum to repair");
    }
}
