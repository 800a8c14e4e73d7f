//! Replaces secrets in text that arrives in chunks.

use std::sync::Arc;

use super::redactor::Patterns;

/// Replaces secrets in a stream. Holds back the last bytes while they may be
/// the beginning of a secret.
pub struct StreamRedactor {
    patterns: Arc<Patterns>,
    held: Vec<u8>,
}

impl StreamRedactor {
    pub(super) fn new(patterns: Arc<Patterns>) -> Self {
        StreamRedactor {
            patterns,
            held: Vec::new(),
        }
    }

    /// Adds a chunk and returns the redacted bytes that are certain by now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let decided = (self.held.len() + 1).saturating_sub(self.patterns.longest);
        self.show(decided)
    }

    /// Ends the stream and returns the rest, redacted.
    pub fn finish(&mut self) -> Vec<u8> {
        self.show(self.held.len())
    }

    fn show(&mut self, decided: usize) -> Vec<u8> {
        let mut clean = Vec::new();
        let done = self.patterns.clean(&self.held, decided, &mut clean);
        self.held.drain(..done);
        clean
    }
}
