//! Bytes that both ends know, so that every one of them can be compared and none must be stored.

use std::io::{self, Read};

/// An endless, deterministic stream of bytes. Its period is far beyond any transfer, so lost, repeated or swapped parts
/// of it never look right.
#[derive(Clone, Debug)]
pub struct Stream {
    seed: u64,
    position: u64,
}

impl Stream {
    /// The stream of a seed, from its beginning.
    pub const fn new(seed: u64) -> Self {
        Self { seed, position: 0 }
    }

    /// Bytes read or compared so far.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Fills a buffer with the bytes that come next.
    pub fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let word = self.word().to_le_bytes();
            let skip = (self.position % 8) as usize;
            let count = bytes.len().min(8 - skip);
            let (now, later) = bytes.split_at_mut(count);
            now.copy_from_slice(&word[skip..skip + count]);
            self.position += count as u64;
            bytes = later;
        }
    }

    /// Compares bytes with those that come next; an error is the position of the first that differs.
    pub fn compare(&mut self, bytes: &[u8]) -> Result<(), u64> {
        let start = self.position;
        let mut expected = vec![0; bytes.len()];
        self.fill(&mut expected);
        if expected == bytes {
            return Ok(());
        }
        let same = expected.iter().zip(bytes).take_while(|(expected, got)| expected == got).count();
        Err(start + same as u64)
    }

    /// The eight bytes around the position: SplitMix64, whose words are independent of each other.
    fn word(&self) -> u64 {
        let mut word = (self.position / 8).wrapping_add(self.seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.fill(bytes);
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_make_the_same_stream() {
        let mut whole = [0; 100];
        Stream::new(7).fill(&mut whole);
        let mut pieces = Stream::new(7);
        for size in [1, 7, 8, 9, 30, 45] {
            let start = pieces.position() as usize;
            assert_eq!(pieces.compare(&whole[start..start + size]), Ok(()));
        }
        assert_eq!(pieces.position(), 100);
    }

    #[test]
    fn the_first_difference_is_found() {
        let mut bytes = [0; 64];
        Stream::new(1).fill(&mut bytes);
        bytes[33] ^= 1;
        let mut stream = Stream::new(1);
        assert_eq!(stream.compare(&bytes[..20]), Ok(()));
        assert_eq!(stream.compare(&bytes[20..]), Err(33));
    }

    #[test]
    fn seeds_make_different_streams() {
        let mut bytes = [0; 16];
        Stream::new(1).fill(&mut bytes);
        assert_eq!(Stream::new(2).compare(&bytes), Err(0));
    }
}
