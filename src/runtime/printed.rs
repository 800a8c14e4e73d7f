//! What a guest prints: into the log at debug level, never to our own streams.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::secret::{Redactor, StreamRedactor};

/// Bytes of one stream that are logged; the rest is only counted.
const LOGGED: usize = 64 << 10;
/// Bytes of a line that are logged at once.
const LINE: usize = 4 << 10;
/// Bytes that a guest may hand over at a time.
const PIECE: usize = 64 << 10;

#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

/// A guest printed more than it may; it ends the call.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("printed too much")]
pub(super) struct Flood;

/// Who prints, and how much at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printing<'a> {
    /// The component's name, for the log.
    pub component: &'a Arc<str>,
    /// Bytes of both streams together.
    pub limit: u64,
}

impl Printing<'_> {
    /// Standard output and standard error.
    pub fn streams(self, redactor: &Redactor) -> (Printed, Printed) {
        let left = Arc::new(AtomicU64::new(self.limit));
        let printed = |channel| {
            let logged = tracing::enabled!(tracing::Level::DEBUG);
            let log = logged.then(|| Log::new(channel, self.component, redactor));
            Printed {
                left: Arc::clone(&left),
                log: Arc::new(Mutex::new(log)),
            }
        };
        (printed(Channel::Stdout), printed(Channel::Stderr))
    }
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(super) struct Printed {
    /// Bytes that both streams may still take.
    left: Arc<AtomicU64>,
    log: Arc<Mutex<Option<Log>>>,
}

impl Printed {
    fn print(&self, bytes: &[u8]) -> Result<(), Flood> {
        let less = |left: u64| left.checked_sub(bytes.len() as u64);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .map_err(|_| Flood)?;
        // Each step leaves the log whole, so a poisoned lock is sound.
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = log.as_mut() {
            log.take(bytes);
        }
        Ok(())
    }
}

struct Log {
    channel: Channel,
    component: Arc<str>,
    left: usize,
    secrets: Option<StreamRedactor>,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
}

impl Log {
    fn new(channel: Channel, component: &Arc<str>, redactor: &Redactor) -> Self {
        Log {
            channel,
            component: Arc::clone(component),
            left: LOGGED,
            secrets: redactor.stream(),
            line: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(self.left)];
        self.left -= shown.len();
        match &mut self.secrets {
            None => self.split(shown),
            Some(secrets) => {
                let clean = secrets.push(shown);
                self.split(&clean);
            }
        }
    }

    fn split(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE {
                self.write();
            }
        }
    }

    fn write(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if !line.is_empty() {
            // Escaped: a guest must not write control codes to a terminal.
            tracing::debug!(
                component = &*self.component,
                channel = ?self.channel,
                "{}",
                String::from_utf8_lossy(line).escape_debug()
            );
        }
    }
}

/// With the call, its last words end too.
impl Drop for Log {
    fn drop(&mut self) {
        if let Some(mut secrets) = self.secrets.take() {
            let rest = secrets.finish();
            self.split(&rest);
        }
        self.write();
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let printed = self.print(bytes).map_err(io::Error::other);
        Poll::Ready(printed.map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let printed = self.print(&bytes);
        printed.map_err(|flood| StreamError::Trap(flood.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}
