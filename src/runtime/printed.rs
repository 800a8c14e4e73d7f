//! What a guest prints: into the log at debug level, never to our own streams.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// Bytes of one call's output that are logged; the rest is swallowed.
const LIMIT: usize = 64 << 10;

#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(super) struct Printed {
    channel: Channel,
    component: Arc<str>,
    left: Arc<AtomicUsize>,
}

impl Printed {
    pub fn new(channel: Channel, component: &Arc<str>) -> Self {
        Printed {
            channel,
            component: Arc::clone(component),
            left: Arc::new(AtomicUsize::new(LIMIT)),
        }
    }

    fn log(&self, bytes: &[u8]) {
        let left = self.left.load(Ordering::Relaxed);
        let shown = &bytes[..bytes.len().min(left)];
        self.left.store(left - shown.len(), Ordering::Relaxed);
        for line in shown.split(|&byte| byte == b'\n') {
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
        self.log(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
