//! Takes secrets out of text that comes in pieces.

use std::sync::Arc;

use super::redactor::Patterns;

/// Holds back the end of what came, for as long as it may be the beginning of
/// a secret.
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

    /// Takes the next piece and returns what can be shown by now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let decided = (self.held.len() + 1).saturating_sub(self.patterns.longest);
        self.show(decided)
    }

    /// Ends the text and returns the rest of it.
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
