//! Raw bytes of a packet, with the one bounds check of the datapath.
//!
//! The kernel's verifier accepts a packet access only after a comparison of *pointers*; a slice's length is a plain
//! number to it. [`Frame::header`] is that comparison, once. A header borrows the frame, so the borrow checker refuses
//! to keep one across [`Frame::resize_front`], after which the verifier would refuse it too.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A header: plain bytes in network byte order, aligned to 2, because packet data is.
pub trait Header: FromBytes + IntoBytes + Immutable + KnownLayout + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + 'static> Header for T {}

/// The bytes of a packet, from the Ethernet header on.
pub trait Frame {
    /// How many bytes lie in one piece at its front, where headers are looked for: of an ordinary frame, all.
    fn length(&self) -> u32;

    /// How many bytes there are. Large frames may go on in further buffers (XDP's "frags"), which the kernel must be
    /// asked about.
    fn total_length(&self) -> u32;

    /// The interface that it came in by.
    fn ingress(&self) -> u32;

    /// The header at an offset, if it lies within the frame. Offsets are even.
    fn header<T: Header>(&self, offset: u32) -> Option<&T>;

    /// The header at an offset, to be changed.
    fn header_mut<T: Header>(&mut self, offset: u32) -> Option<&mut T>;

    /// Makes the frame longer (`bytes` > 0, contents undefined) or shorter at its front; `None` if the driver left no room.
    fn resize_front(&mut self, bytes: i32) -> Option<()>;

    /// Cuts the frame off behind this many bytes.
    fn truncate(&mut self, bytes: u32) -> Option<()>;
}

/// A frame in memory: how host programs run the datapath.
#[derive(Debug)]
pub struct MemoryFrame<'a> {
    buffer: &'a mut [u8],
    start: usize,
    /// Where the first buffer ends.
    piece_end: usize,
    end: usize,
    ingress: u32,
}

impl<'a> MemoryFrame<'a> {
    /// The packet is `buffer[headroom..]`; the bytes before it may be used by encapsulations. `headroom` is even.
    ///
    /// The buffer must start at an even address, as every allocation of a few bytes does; otherwise headers are not found.
    pub const fn new(buffer: &'a mut [u8], headroom: usize, ingress: u32) -> Self {
        let end = buffer.len();
        let start = if headroom < end { headroom } else { end };
        Self { buffer, start, piece_end: end, end, ingress }
    }

    /// Only this many bytes of the packet lie in one piece; the others are in further buffers.
    #[must_use]
    pub const fn in_pieces(mut self, first_bytes: usize) -> Self {
        let piece_end = self.start + first_bytes;
        self.piece_end = if piece_end < self.end { piece_end } else { self.end };
        self
    }

    /// The packet's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }
}

impl Frame for MemoryFrame<'_> {
    fn length(&self) -> u32 {
        (self.piece_end - self.start) as u32
    }

    fn total_length(&self) -> u32 {
        (self.end - self.start) as u32
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn header<T: Header>(&self, offset: u32) -> Option<&T> {
        let bytes = self.buffer.get(self.start..self.piece_end)?.get(offset as usize..)?;
        T::ref_from_prefix(bytes).ok().map(|(header, _)| header)
    }

    fn header_mut<T: Header>(&mut self, offset: u32) -> Option<&mut T> {
        let bytes = self.buffer.get_mut(self.start..self.piece_end)?.get_mut(offset as usize..)?;
        T::mut_from_prefix(bytes).ok().map(|(header, _)| header)
    }

    fn resize_front(&mut self, bytes: i32) -> Option<()> {
        let start = self.start.checked_add_signed(-(bytes as isize))?;
        (start < self.piece_end).then(|| self.start = start)
    }

    fn truncate(&mut self, bytes: u32) -> Option<()> {
        let end = self.start + bytes as usize;
        (end <= self.end).then(|| {
            self.end = end;
            self.piece_end = self.piece_end.min(end);
        })
    }
}
