//! Content digests. All hashing of content happens in this module.
//!
//! The text form is that of the [OCI image specification][spec]: `sha256:` and
//! 64 lower-case hexadecimal digits. Other algorithms are rejected, because
//! they could not be verified.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::error::Class;
use crate::file::{Links, open_regular};

const PREFIX: &str = "sha256:";
/// Large enough to amortise system calls.
const CHUNK: usize = 256 * 1024;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    /// Hashes a regular file in chunks and returns its digest and size in
    /// bytes.
    pub fn of_file(path: &Path) -> io::Result<(Self, u64)> {
        Digest::of_reader(open_regular(path, Links::Follow)?)
    }

    /// Like [`of_file`](Self::of_file), for a file that should have `size` bytes.
    ///
    /// # Errors
    ///
    /// `InvalidData`, without hashing it, when it is larger.
    pub fn of_file_within(path: &Path, size: u64) -> io::Result<(Self, u64)> {
        let file = open_regular(path, Links::Follow)?;
        let found = file.metadata()?.len();
        if found > size {
            let reason = format!("it has {found} bytes, not {size}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Digest::of_reader(file)
    }

    /// Hashes a stream to its end and returns its digest and size in bytes.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut verifier = Verifier::new(Expected::default());
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = reader.read(&mut chunk)?;
            if n == 0 {
                break;
            }
            verifier.update(&chunk[..n]).map_err(io::Error::other)?;
        }
        verifier.finish().map_err(io::Error::other)
    }

    /// Returns the hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hexadecimal digits without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Returns `sha256:` and the first twelve digits, for tables.
    pub fn short(&self) -> String {
        format!("{PREFIX}{}", &self.hex()[..12])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let invalid = |reason| InvalidDigest {
            text: text.chars().take(96).collect(),
            reason,
        };
        let digits = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| invalid("only sha256 is supported"))?;
        if digits.len() != 64 {
            return Err(invalid("sha256 has 64 hexadecimal digits"));
        }
        let mut bytes = [0; 32];
        let decoded = hex::decode_to_slice(digits, &mut bytes);
        // Digests name files: two spellings of one digest would be two files.
        if decoded.is_err() || digits.contains(|c: char| c.is_ascii_uppercase()) {
            return Err(invalid("the digits must be 0-9 and a-f, in lower case"));
        }
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// A text that is not `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest: {reason}")]
pub struct InvalidDigest {
    text: String,
    reason: &'static str,
}

/// The expected digest and size of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub digest: Option<Digest>,
    /// Exact size in bytes.
    pub size: Option<u64>,
    /// Upper bound in bytes, for streams whose size is unknown or untrusted.
    pub limit: u64,
}

impl Default for Expected {
    /// Expects nothing: accepts any stream.
    fn default() -> Self {
        Expected {
            digest: None,
            size: None,
            limit: u64::MAX,
        }
    }
}

/// Hashes a stream chunk by chunk; fails as soon as it is too long.
pub struct Verifier {
    expected: Expected,
    hasher: Sha256,
    seen: u64,
}

impl Verifier {
    pub fn new(expected: Expected) -> Self {
        Verifier {
            expected,
            hasher: Sha256::new(),
            seen: 0,
        }
    }

    /// Bytes seen so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Hashes the next chunk.
    ///
    /// # Errors
    ///
    /// [`Mismatch::Size`] or [`Mismatch::TooLarge`] as soon as the stream
    /// exceeds the expected size or the limit.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Mismatch> {
        self.seen = self.seen.saturating_add(chunk.len() as u64);
        if let Some(expected) = self.expected.size
            && self.seen > expected
        {
            return Err(Mismatch::Size {
                expected,
                computed: self.seen,
            });
        }
        if self.seen > self.expected.limit {
            return Err(Mismatch::TooLarge {
                limit: self.expected.limit,
            });
        }
        self.hasher.update(chunk);
        Ok(())
    }

    /// Returns the digest and the size in bytes of the whole stream.
    ///
    /// # Errors
    ///
    /// [`Mismatch::Size`] if the stream is too short, [`Mismatch::Digest`] if
    /// the digest differs.
    pub fn finish(self) -> Result<(Digest, u64), Mismatch> {
        if let Some(expected) = self.expected.size
            && self.seen != expected
        {
            return Err(Mismatch::Size {
                expected,
                computed: self.seen,
            });
        }
        let computed = Digest(self.hasher.finalize().into());
        match self.expected.digest {
            Some(expected) if expected != computed => Err(Mismatch::Digest { expected, computed }),
            _ => Ok((computed, self.seen)),
        }
    }
}

/// The difference between a stream and its expected digest or size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("the digest is {computed}, not {expected}")]
    Digest { expected: Digest, computed: Digest },
    #[error("the size is {computed} bytes or more, not {expected}")]
    Size { expected: u64, computed: u64 },
    #[error("more than {limit} bytes")]
    TooLarge { limit: u64 },
}

impl Mismatch {
    /// Returns the code and the class of errors that wrap it.
    pub(crate) fn diagnosis(&self) -> (&'static str, Class) {
        match self {
            Mismatch::Digest { .. } => ("digest-mismatch", Class::Verification),
            _ => ("size-mismatch", Class::Verification),
        }
    }

    /// Returns what the user can do about it.
    pub(crate) fn hint(&self) -> &'static str {
        "nothing was installed; the component may have been tampered with"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn text_form_round_trips() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
    }

    #[test]
    fn other_spellings_are_refused() {
        let hex = &EMPTY[7..];
        for text in [
            hex.to_owned(),
            format!("sha512:{hex}"),
            format!("SHA256:{hex}"),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{}", &hex[1..]),
            format!("sha256:{hex}0"),
            format!("sha256:../../{}", &hex[6..]),
            "sha256:é".repeat(32),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_stream_is_held_to_its_promise() {
        let promise = Expected {
            digest: Some(Digest::of(b"abc")),
            size: Some(3),
            limit: 10,
        };
        let feed = |chunks: &[&[u8]]| {
            let mut verifier = Verifier::new(promise);
            for chunk in chunks {
                verifier.update(chunk)?;
            }
            verifier.finish()
        };
        assert_eq!(feed(&[b"a", b"bc"]), Ok((Digest::of(b"abc"), 3)));
        assert!(matches!(feed(&[b"abd"]), Err(Mismatch::Digest { .. })));
        assert!(matches!(
            feed(&[b"ab"]),
            Err(Mismatch::Size { computed: 2, .. })
        ));
        assert!(matches!(
            feed(&[b"abc", b"d"]),
            Err(Mismatch::Size { computed: 4, .. })
        ));
    }
}
