//! Components that travel packed: compressed, or in the file system of a
//! container image.
//!
//! Everything is unpacked while it arrives, and what comes out is bounded: in
//! size, in how far it may outgrow what went in, and in memory. The packed
//! bytes are held to their descriptor on the way in, by whoever reads them.

mod bounded;
mod error;
mod tar;
#[cfg(test)]
mod tests;
mod zstd;

use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::outcome::Blob;
use super::sink::{StagedFile, Stopped};
use crate::digest::{Digest, Expected, Mismatch};
use bounded::Bounded;
pub use error::UnpackError;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// An archive may be larger than the component in it by this much, in bytes:
/// its headers, and small files beside the component.
const ARCHIVE_ALLOWANCE: u64 = 16 * 1024 * 1024;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    /// [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952), several members allowed.
    Gzip,
    /// [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878), several frames allowed.
    Zstd,
}

/// What the unpacked bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Component,
    /// A tar archive with one `.wasm` file.
    Archive,
}

/// How a component is to be unpacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpack {
    pub packing: Packing,
    pub form: Form,
    /// The most bytes the component may have.
    pub limit: u64,
    /// Digest of the unpacked stream, where the image's config gives one.
    pub diff_id: Option<Digest>,
}

impl Unpack {
    /// Reads `packed` to its end and leaves the component at `target`.
    pub fn run(&self, packed: impl Read, target: &Path) -> Result<Blob, Stopped> {
        // `Read` is behind a pointer, not a type parameter: the calls are few and large.
        let counted = bounded::Counted::new(packed);
        let seen = counted.seen();
        let stream: Box<dyn Read + '_> = match self.packing {
            Packing::None => Box::new(counted),
            Packing::Gzip => Box::new(MultiGzDecoder::new(counted)),
            Packing::Zstd => Box::new(zstd::Frames::new(counted)),
        };
        let limit = match self.form {
            Form::Component => self.limit,
            Form::Archive => self.limit.saturating_add(ARCHIVE_ALLOWANCE),
        };
        let mut stream = Bounded::new(stream, seen, limit);
        let expected = Expected {
            limit: self.limit,
            ..Expected::default()
        };
        let staged = match self.form {
            Form::Component => {
                let mut staged = StagedFile::create(target, expected).map_err(Stopped::Disk)?;
                copy(&mut stream, &mut staged)?;
                staged
            }
            Form::Archive => tar::only_component(&mut stream, || {
                StagedFile::create(target, expected).map_err(Stopped::Disk)
            })?,
        };
        let computed = stream.drain().map_err(unreadable)?;
        match self.diff_id {
            Some(expected) if expected != computed => {
                Err(Stopped::Mismatch(Mismatch::Digest { expected, computed }))
            }
            _ => staged.finish(),
        }
    }
}

/// Copies all of `from` into the file.
fn copy(from: &mut impl Read, to: &mut StagedFile) -> Result<(), Stopped> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk).map_err(unreadable)? {
            0 => return Ok(()),
            n => to.write(&chunk[..n])?,
        }
    }
}

/// The limits speak through `io::Error`, as everything between here and them
/// is a `Read`.
fn unreadable(error: io::Error) -> Stopped {
    let error = match error.downcast::<UnpackError>() {
        Ok(own) => own,
        Err(other) => UnpackError::Damaged(other),
    };
    Stopped::Content(error.into())
}
