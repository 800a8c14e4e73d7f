//! The way from the network to the thread that writes: short in pieces, and
//! short in bytes, which bounds the memory of a download whatever the disk does.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Pieces that may wait.
const PIECES: usize = 32;
/// Bytes that may wait. The network hands out up to 400 KiB at a time, so some
/// pieces always can; eight downloads stay below 16 MiB.
const BYTES: u32 = 2 * 1024 * 1024;

/// What the writer of a file is given.
pub(super) enum Piece {
    Data(Chunk),
    /// What came so far does not count.
    Restart,
    End,
}

/// Bytes, and their part of what may wait until they are dropped.
pub(super) struct Chunk {
    pub bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

/// The end that the network fills.
pub(super) struct Queue {
    pieces: mpsc::Sender<Piece>,
    budget: Arc<Semaphore>,
}

/// The reader is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// A queue, and the end that is read.
pub(super) fn queue() -> (Queue, mpsc::Receiver<Piece>) {
    let (pieces, reader) = mpsc::channel(PIECES);
    let budget = Arc::new(Semaphore::new(BYTES as usize));
    (Queue { pieces, budget }, reader)
}

impl Queue {
    /// Waits until there is room for the bytes.
    pub async fn data(&self, bytes: Bytes) -> Result<(), Gone> {
        // One larger than all that may wait, waits alone.
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

    pub async fn restart(&self) -> Result<(), Gone> {
        self.send(Piece::Restart).await
    }

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

    /// Sends as much as goes without a reader.
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
