//! The queue from the network to the writer thread. It is bounded in chunks and
//! in bytes, which bounds the memory of a download even if the disk is slow.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Capacity in chunks.
const PIECES: usize = 32;
/// Capacity in bytes. Network chunks have up to 400 KiB, so several always fit;
/// eight downloads stay below 16 MiB.
const BYTES: u32 = 2 * 1024 * 1024;

/// A message to the writer.
pub(super) enum Piece {
    Data(Chunk),
    /// Discard all data so far.
    Restart,
    End,
}

/// Bytes with their share of the queue's capacity, which is released when they
/// are dropped.
pub(super) struct Chunk {
    pub bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

/// The sending end of the queue.
pub(super) struct Queue {
    pieces: mpsc::Sender<Piece>,
    budget: Arc<Semaphore>,
}

/// The receiving end was dropped.
#[derive(Debug)]
pub(super) struct Gone;

/// A new queue: the sending and the receiving end.
pub(super) fn queue() -> (Queue, mpsc::Receiver<Piece>) {
    let (pieces, reader) = mpsc::channel(PIECES);
    let budget = Arc::new(Semaphore::new(BYTES as usize));
    (Queue { pieces, budget }, reader)
}

impl Queue {
    /// Sends bytes, waiting for capacity.
    pub async fn data(&self, bytes: Bytes) -> Result<(), Gone> {
        // A chunk larger than the capacity takes all of it.
        let length = u32::try_from(bytes.len()).unwrap_or(BYTES).min(BYTES);
        let place = tokio::select! {
            place = self.budget.clone().acquire_many_owned(length) => place.ok(),
            () = self.pieces.closed() => return Err(Gone),
        };
        let chunk = Chunk {
            bytes,
            _place: place,
        };
        self.send(Piece::Data(chunk)).await
    }

    /// Tells the writer to discard the data so far.
    pub async fn restart(&self) -> Result<(), Gone> {
        self.send(Piece::Restart).await
    }

    /// Tells the writer that the data is complete.
    pub async fn end(&self) -> Result<(), Gone> {
        self.send(Piece::End).await
    }

    async fn send(&self, piece: Piece) -> Result<(), Gone> {
        self.pieces.send(piece).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Sends as many chunks as fit without a reader.
    fn fill(queue: &Queue, chunk: &Bytes) -> usize {
        let mut sent = 0;
        while queue.data(chunk.clone()).now_or_never().is_some() {
            sent += chunk.len();
        }
        sent
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_in_pieces() {
        for (length, most) in [
            (1, PIECES),
            (8 * 1024, PIECES * 8 * 1024),
            (400 * 1024, BYTES as usize),
            (BYTES as usize * 3, BYTES as usize * 3),
        ] {
            let (queue, reader) = queue();
            let sent = fill(&queue, &vec![0; length].into());
            assert!(sent > 0 && sent <= most, "{sent} of {length}");
            drop(reader);
        }
    }

    #[tokio::test]
    async fn what_is_read_makes_room_and_a_reader_that_left_is_not_waited_for() {
        let (queue, mut reader) = queue();
        let chunk = Bytes::from(vec![0; 400 * 1024]);
        fill(&queue, &chunk);
        let Some(Piece::Data(read)) = reader.recv().await else {
            panic!("there are pieces");
        };
        assert!(queue.data(chunk.clone()).now_or_never().is_none());
        drop(read);
        queue.data(chunk.clone()).await.expect("room");
        let waiting = queue.data(chunk);
        drop(reader);
        waiting.await.expect_err("nobody reads");
    }
}
