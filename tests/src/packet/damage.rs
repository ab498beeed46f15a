//! Ways to break a frame.

/// What can be done to the bytes of a frame.
pub trait Damage {
    /// Cuts the frame off behind this many bytes; the headers go on claiming what they claimed.
    fn cut(self, bytes: usize) -> Vec<u8>;

    /// Overwrites bytes; no checksum is corrected.
    fn set(self, offset: usize, bytes: &[u8]) -> Vec<u8>;
}

impl<T: Into<Vec<u8>>> Damage for T {
    fn cut(self, bytes: usize) -> Vec<u8> {
        let mut frame = self.into();
        assert!(bytes < frame.len(), "nothing would be cut off {} bytes at {bytes}", frame.len());
        frame.truncate(bytes);
        frame
    }

    fn set(self, offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut frame = self.into();
        frame[offset..offset + bytes.len()].copy_from_slice(bytes);
        frame
    }
}
