//! What a guest prints: into the log at debug level, never to our own streams.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::secret::{Redactor, StreamRedactor};

/// Bytes of one call's output that are logged; the rest is swallowed.
const LIMIT: usize = 64 << 10;
/// Bytes of a line that are logged at once.
const LINE: usize = 4 << 10;

#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(super) struct Printed(Arc<Mutex<Log>>);

struct Log {
    channel: Channel,
    component: Arc<str>,
    left: usize,
    secrets: Option<StreamRedactor>,
    /// The beginning of a line that has not ended yet.
    line: Vec<u8>,
}

impl Printed {
    pub fn new(channel: Channel, component: &Arc<str>, redactor: &Redactor) -> Self {
        Printed(Arc::new(Mutex::new(Log {
            channel,
            component: Arc::clone(component),
            left: LIMIT,
            secrets: redactor.stream(),
            line: Vec::new(),
        })))
    }
}

impl Log {
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
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Each step leaves the log whole, so a poisoned lock is sound.
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
