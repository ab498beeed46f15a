//! Reading the datapath's ring buffers.

use std::{io, marker::PhantomData};

use aya::maps::{MapData, RingBuf};
use tokio::io::unix::AsyncFd;
use zerocopy::FromBytes;

/// The records of a ring buffer, which are all of one type.
pub(super) struct Reader<T> {
    ring: AsyncFd<RingBuf<MapData>>,
    records: PhantomData<T>,
}

impl<T: FromBytes> Reader<T> {
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        #[expect(deprecated, reason = "its successor is unsafe, and a map owns its descriptor until it is dropped")]
        let ring = AsyncFd::new(ring)?;
        Ok(Self { ring, records: PhantomData })
    }

    /// All records that there are; waits until there are some.
    pub(super) async fn some(&mut self) -> io::Result<Vec<T>> {
        self.ring.readable().await?.clear_ready();
        let ring = self.ring.get_mut();
        let mut records = Vec::new();
        while let Some(record) = ring.next() {
            records.extend(T::read_from_prefix(&record).ok().map(|(record, _)| record));
        }
        Ok(records)
    }
}
