//! The output of guests. It goes to the log at debug level, never to the server's streams.
//!
//! The end of standard error is kept for the error of a failed call, since language
//! runtimes write the reason there.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::secret::{Redactor, StreamRedactor};
use crate::text::{is_invisible, printable};

/// Bytes of one stream that are logged; the rest is only counted.
const LOGGED: usize = 64 << 10;
/// Bytes of a line that are logged as one entry.
const LINE: usize = 4 << 10;
/// Bytes from the end of standard error that an error shows.
const LAST_WORDS: usize = 2 << 10;
/// Bytes that a guest may write in one host call.
const PIECE: usize = 64 << 10;

#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

/// A guest printed more than its limit; this ends the call.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("printed too much")]
pub(super) struct Flood;

/// The component that prints, and its limit.
#[derive(Clone, Copy)]
pub(super) struct Printing<'a> {
    /// The component's name, for the log.
    pub component: &'a Arc<str>,
    /// Bytes of both streams together.
    pub limit: u64,
    /// Keeps the end of standard error.
    pub last_words: &'a LastWords,
}

impl Printing<'_> {
    /// Standard output and standard error.
    pub fn streams(self, redactor: &Redactor) -> (Printed, Printed) {
        let left = Arc::new(AtomicU64::new(self.limit));
        let printed = |channel, last_words| {
            let logged = tracing::enabled!(tracing::Level::DEBUG);
            let log = logged.then(|| Log::new(channel, self.component, redactor));
            Printed {
                left: Arc::clone(&left),
                log: Arc::new(Mutex::new(log)),
                last_words,
            }
        };
        self.last_words.lock().secrets = redactor.stream();
        let last_words = self.last_words.clone();
        (
            printed(Channel::Stdout, None),
            printed(Channel::Stderr, Some(last_words)),
        )
    }
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(super) struct Printed {
    /// Bytes that both streams may still take together.
    left: Arc<AtomicU64>,
    log: Arc<Mutex<Option<Log>>>,
    last_words: Option<LastWords>,
}

impl Printed {
    fn print(&self, bytes: &[u8]) -> Result<(), Flood> {
        let less = |left: u64| left.checked_sub(bytes.len() as u64);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .map_err(|_| Flood)?;
        // Each step leaves the log consistent, so a poisoned lock can be used.
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = log.as_mut() {
            log.take(bytes);
        }
        if let Some(last_words) = &self.last_words {
            last_words.lock().take(bytes);
        }
        Ok(())
    }
}

/// The end of a guest's standard error, with secrets removed. Clones share it.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<Tail>>);

#[derive(Default)]
struct Tail {
    secrets: Option<StreamRedactor>,
    /// At most twice [`LAST_WORDS`].
    bytes: Vec<u8>,
    is_cut: bool,
}

impl LastWords {
    /// Ends the text and returns its last 2 KiB as lines that are safe to show:
    /// without control and invisible characters, and with `…` at the start if there
    /// was more. `None` if nothing was printed.
    pub fn take(&self) -> Option<String> {
        let mut tail = std::mem::take(&mut *self.lock());
        if let Some(mut secrets) = tail.secrets.take() {
            tail.add(&secrets.finish());
        }
        tail.shorten();
        // The cut may be inside a UTF-8 sequence.
        let is_inside = |byte: &u8| tail.is_cut && (0x80..0xc0).contains(byte);
        let begin = tail.bytes.iter().take_while(|byte| is_inside(byte)).count();
        let text = String::from_utf8_lossy(&tail.bytes[begin..]);
        let shown = |c: &char| *c == '\n' || !c.is_control() && !is_invisible(*c);
        let text = text
            .replace('\t', " ")
            .chars()
            .filter(shown)
            .collect::<String>();
        let lines = text.lines().map(str::trim_end);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let more = if tail.is_cut { "…" } else { "" };
        (!lines.is_empty()).then(|| format!("{more}{}", lines.join("\n")))
    }

    /// Each step leaves the tail consistent, so a poisoned lock can be used.
    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        match &mut self.secrets {
            None => self.add(bytes),
            Some(secrets) => {
                let clean = secrets.push(bytes);
                self.add(&clean);
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(LAST_WORDS)..];
        self.is_cut |= last.len() < bytes.len();
        self.bytes.extend_from_slice(last);
        if self.bytes.len() >= 2 * LAST_WORDS {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let more = self.bytes.len().saturating_sub(LAST_WORDS);
        self.is_cut |= more > 0;
        self.bytes.drain(..more);
    }
}

struct Log {
    channel: Channel,
    component: Arc<str>,
    left: usize,
    secrets: Option<StreamRedactor>,
    /// The start of a line that has not ended yet.
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
            tracing::debug!(
                component = &*self.component,
                channel = ?self.channel,
                "{}",
                printable(&String::from_utf8_lossy(line))
            );
        }
    }
}

/// Logs the rest when the call ends.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// Returns the last words of a guest that writes these pieces to standard error.
    fn left(redactor: &Redactor, pieces: &[&[u8]]) -> Option<String> {
        let last_words = LastWords::default();
        let (_, stderr) = Printing {
            component: &"test".into(),
            limit: u64::MAX,
            last_words: &last_words,
        }
        .streams(redactor);
        for piece in pieces {
            stderr.print(piece).unwrap();
        }
        last_words.take()
    }

    #[test]
    fn the_last_words_are_short_and_plain() {
        let none = Redactor::default();
        assert_eq!(left(&none, &[]), None);
        assert_eq!(left(&none, &[b"\n\x1b \n"]), None);
        let text = left(
            &none,
            &[
                "no \u{1b}[31mcity\u{202e}\t:\r\n\n".as_bytes(),
                b"Atlantis\xff",
            ],
        );
        assert_eq!(text.unwrap(), "no [31mcity :\nAtlantis\u{fffd}");
        let long = "é".repeat(3000);
        let text = left(&none, &[long.as_bytes(), b"x"]).unwrap();
        assert_eq!(text, format!("…{}x", "é".repeat(1023)));
    }

    #[test]
    fn no_part_of_a_secret_is_left_by_the_cut() {
        let secret = Secret::from("hunter22-and-more");
        let redactor = Redactor::new([&secret]);
        for length in 2000..2100 {
            let rest = "y".repeat(length);
            let text = left(&redactor, &[b"hunter22-", b"and-more", rest.as_bytes()]).unwrap();
            assert!(
                !text.contains("more") && !text.contains("hunter"),
                "{length}"
            );
        }
        let text = left(&redactor, &[b"it is hunter22-and", b"-more"]).unwrap();
        assert_eq!(text, "it is [redacted]");
    }
}
