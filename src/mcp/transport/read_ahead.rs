//! Reads lines of standard input ahead, while the service handles earlier ones.
//!
//! A client that writes many requests before it reads the first answer would otherwise block
//! forever, because neither side would read.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::lines::{Line, Lines};

/// Most memory of the waiting lines, in bytes. A longer line waits alone.
const MOST: u32 = 16 * 1024 * 1024;
/// Memory of a waiting line in addition to its text, in bytes.
const OVERHEAD: usize = 64;

/// The lines that were read, in their order.
pub(super) struct ReadAhead(mpsc::UnboundedReceiver<Read>);

type Read = (io::Result<Line>, OwnedSemaphorePermit);

impl ReadAhead {
    /// Starts to read. Ends with the input, or with the first line after `ReadAhead`
    /// was dropped.
    pub fn start<R: AsyncRead + Unpin + Send + 'static>(mut lines: Lines<R>) -> Self {
        let (to_service, waiting) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(MOST as usize));
        tokio::spawn(async move {
            while let Some(line) = lines.next().await.transpose() {
                let is_last = line.is_err();
                // Fails only when the semaphore is closed, which it never is.
                let Ok(permit) = room.clone().acquire_many_owned(bytes(&line)).await else {
                    return;
                };
                if to_service.send((line, permit)).is_err() || is_last {
                    return;
                }
            }
        });
        ReadAhead(waiting)
    }

    /// The next line; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        self.0.recv().await.map(|(line, _)| line).transpose()
    }
}

fn bytes(line: &io::Result<Line>) -> u32 {
    let text = match line {
        Ok(Line::Whole(line)) => line.capacity(),
        Ok(Line::TooLong) | Err(_) => 0,
    };
    u32::try_from(text + OVERHEAD).map_or(MOST, |bytes| bytes.min(MOST))
}
