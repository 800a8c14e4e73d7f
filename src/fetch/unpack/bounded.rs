//! Limits on the output of a decompressor.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::{CHUNK, UnpackError};
use crate::digest::{Digest, Expected, Verifier};

/// Maximum compression ratio. Components shrink to a third, text to a tenth;
/// decompression bombs start at a thousand.
pub(super) const MAX_RATIO: u64 = 100;
/// Output bytes below which the ratio is not checked: small inputs may be all
/// zeros.
const RATIO_FREE: u64 = 1024 * 1024;

/// Counts the packed bytes that are read.
pub(super) struct Counted<R> {
    inner: R,
    seen: Rc<Cell<u64>>,
}

impl<R: Read> Counted<R> {
    pub fn new(inner: R) -> Self {
        Counted {
            inner,
            seen: Rc::default(),
        }
    }

    /// A shared handle to the count, for use while a decoder owns the reader.
    pub fn seen(&self) -> Rc<Cell<u64>> {
        self.seen.clone()
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.seen.set(self.seen.get() + n as u64);
        Ok(n)
    }
}

/// Hashes the unpacked bytes; fails when they exceed the limit or the ratio.
pub(super) struct Bounded<R> {
    inner: R,
    packed: Rc<Cell<u64>>,
    limit: u64,
    verifier: Verifier,
}

impl<R: Read> Bounded<R> {
    pub fn new(inner: R, packed: Rc<Cell<u64>>, limit: u64) -> Self {
        Bounded {
            inner,
            packed,
            limit,
            verifier: Verifier::new(Expected::default()),
        }
    }

    /// Reads to the end and returns the digest of all unpacked bytes.
    pub fn drain(mut self) -> io::Result<Digest> {
        let mut chunk = vec![0; CHUNK];
        while self.read(&mut chunk)? > 0 {}
        let (digest, _) = self.verifier.finish().map_err(io::Error::other)?;
        Ok(digest)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.verifier
            .update(&buffer[..n])
            .map_err(io::Error::other)?;
        let seen = self.verifier.seen();
        if seen > self.limit {
            return Err(io::Error::other(UnpackError::TooLarge {
                limit: self.limit,
            }));
        }
        let fair = self.packed.get().saturating_mul(MAX_RATIO);
        if seen > RATIO_FREE && seen > fair {
            return Err(io::Error::other(UnpackError::Bomb { ratio: MAX_RATIO }));
        }
        Ok(n)
    }
}
