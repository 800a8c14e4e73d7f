//! Session ids that cannot be guessed.

use std::fmt::Write as _;
use std::io;

use sha2::{Digest as _, Sha256};

/// A new id of 256 random bits, in hexadecimal.
///
/// # Errors
///
/// When the operating system provides no randomness.
pub(super) fn new() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex(&bytes))
}

/// A label for the log, from which the id cannot be derived.
pub(super) fn label(id: &str) -> String {
    hex(&Sha256::digest(id)[..6])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_their_labels_do_not_tell_them() {
        let ids: HashSet<String> = (0..1000).map(|_| new().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        for id in &ids {
            assert_eq!(id.len(), 64);
            assert_eq!(label(id).len(), 12);
            assert!(!id.contains(&label(id)));
        }
    }
}
