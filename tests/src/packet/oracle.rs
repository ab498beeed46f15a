//! A slow, independent judge of a frame's lengths and checksums, outer and inner.
//!
//! It reads byte by byte and shares code neither with the builder nor with the datapath.

use anyhow::{Context, Result, bail, ensure};

/// Checks every length and checksum in a frame that can be checked. What is not IP has none; of a fragment, only the IP
/// header can be checked.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn check(frame: &[u8]) -> Result<()> {
    let mut at = 12;
    while matches!(word(frame, at)?, 0x8100 | 0x88a8) {
        at += 4;
    }
    let behind = &frame[at + 2..];
    match word(frame, at)? {
        0x0800 => v4(behind),
        0x86dd => v6(behind),
        _ => Ok(()),
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u16> {
    let pair = bytes.get(at..at + 2).with_context(|| format!("the frame ends before byte {}", at + 2))?;
    Ok(u16::from(pair[0]) << 8 | u16::from(pair[1]))
}

fn v4(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.len() >= 20 && bytes[0] >> 4 == 4, "no IPv4 header");
    let (header, total) = (usize::from(bytes[0] & 15) * 4, usize::from(word(bytes, 2)?));
    ensure!(header >= 20 && header <= total && total <= bytes.len(), "IPv4 lengths: {header}, {total}");
    ensure!(sums_up(&[&bytes[..header]]), "the IPv4 header's checksum is wrong");
    if word(bytes, 6)? & 0x3fff != 0 {
        return Ok(());
    }
    transport(bytes[9], &bytes[12..20], &bytes[header..total])
}

fn v6(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.len() >= 40 && bytes[0] >> 4 == 6, "no IPv6 header");
    let total = 40 + usize::from(word(bytes, 4)?);
    ensure!(total <= bytes.len(), "IPv6 length: {total}");
    let (mut number, mut at) = (bytes[6], 40);
    loop {
        let length = |unit: usize, plus: usize| Ok((usize::from(word(&bytes[..total], at)? & 255) + plus) * unit);
        let skipped: Result<usize> = match number {
            0 | 43 | 60 => length(8, 1),
            51 => length(4, 2),
            44 if word(&bytes[..total], at + 2)? & 0xfff9 != 0 => return Ok(()),
            44 => Ok(8),
            _ => break,
        };
        let skipped = skipped?;
        (number, at) = (bytes[at], at + skipped);
        ensure!(at <= total, "an extension header goes beyond the packet");
    }
    transport(number, &bytes[8..40], &bytes[at..total])
}

/// Checks what an IP header carries.
fn transport(number: u8, addresses: &[u8], bytes: &[u8]) -> Result<()> {
    let is_v6 = addresses.len() == 32;
    let pseudo = [addresses, &[0, number], &(bytes.len() as u32).to_be_bytes()].concat();
    match number {
        4 => v4(bytes).context("inner packet"),
        41 => v6(bytes).context("inner packet"),
        6 if sums_up(&[&pseudo, bytes]) => Ok(()),
        6 => bail!("the TCP checksum is wrong"),
        17 => udp(&pseudo, bytes),
        1 if !is_v6 && !sums_up(&[bytes]) => bail!("the ICMP checksum is wrong"),
        58 if is_v6 && !sums_up(&[&pseudo, bytes]) => bail!("the ICMPv6 checksum is wrong"),
        _ => Ok(()),
    }
}

fn udp(pseudo: &[u8], bytes: &[u8]) -> Result<()> {
    ensure!(usize::from(word(bytes, 4)?) == bytes.len(), "the UDP length is wrong");
    ensure!(word(bytes, 6)? == 0 || sums_up(&[pseudo, bytes]), "the UDP checksum is wrong");
    match (word(bytes, 2)?, bytes.get(8..12)) {
        (6080, Some([0, 4, 0, 0])) => v4(&bytes[12..]).context("packet in GUE"),
        (6080, Some([0, 41, 0, 0])) => v6(&bytes[12..]).context("packet in GUE"),
        _ => Ok(()),
    }
}

/// The checksum that the UDP header behind an IPv6 header without extensions ought to have; the header stands at `offset`.
pub fn udp_checksum(frame: &[u8], offset: usize) -> u16 {
    let bytes = &frame[offset + 40..][..usize::from(frame[offset + 4]) * 256 + usize::from(frame[offset + 5])];
    let pseudo = [&frame[offset + 8..offset + 40], &(bytes.len() as u32).to_be_bytes(), &[0, 0, 0, 17]].concat();
    // Whatever stands in the checksum's place counts for nothing.
    match !sum(&[&pseudo, &bytes[..6], &bytes[8..]]) {
        0 => 0xffff,
        checksum => checksum,
    }
}

/// Whether bytes that contain their checksum sum up to all ones (RFC 1071).
fn sums_up(parts: &[&[u8]]) -> bool {
    sum(parts) == 0xffff
}

fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0));
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Damage, Packet};

    fn samples() -> Vec<Packet> {
        let v4 = || Packet::v4("192.0.2.1", "198.51.100.2");
        let v6 = || Packet::v6("2001:db8::1", "2001:db8::2");
        vec![
            v4().tcp(1, 2).syn().payload(b"odd"),
            v4().options(&[1; 8]).udp(1, 2).payload(b"even"),
            v4().tagged(5).service_tagged(6).echo_request(1).payload(b"ping"),
            v6().tcp(1, 2).tcp_options(&[1; 4]),
            v6().hop_by_hop(1).destination_options(0).routing().authentication(3).udp(1, 2).payload(b"x"),
            v6().fragment_header(0, false).echo_reply(7),
            v4().carrying(&v6().udp(1, 2)),
            v6().carrying(&v4().tcp(1, 2).payload(b"inner")),
            v6().gue(50000, 6080, &v4().tcp(1, 2).payload(b"inner")),
            v4().gue(50000, 6080, &v6().udp(1, 2).payload(b"inner")),
        ]
    }

    #[test]
    fn what_the_builder_makes_is_right() {
        for packet in samples() {
            check(&packet.clone().bytes()).unwrap_or_else(|error| panic!("{packet:?}: {error:#}"));
            check(&packet.bytes().into_iter().chain([0; 7]).collect::<Vec<_>>()).unwrap();
        }
    }

    #[test]
    fn one_wrong_byte_of_a_payload_is_seen() {
        for packet in samples() {
            let frame = packet.bytes();
            let last = frame.len() - 1;
            let wrong = [frame[last] ^ 0x40];
            assert!(check(&frame.set(last, &wrong)).is_err());
        }
    }

    #[test]
    fn a_wrong_ipv4_header_is_seen() {
        let frame = Packet::v4("192.0.2.1", "198.51.100.2").tcp(1, 2).bytes();
        assert!(check(&frame.set(14 + 8, &[63])).is_err());
    }
}
