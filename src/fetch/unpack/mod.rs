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

/// What WebAssembly starts with.
const WASM: [u8; 4] = *b"\0asm";
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
        let (start, counted) = peek(counted).map_err(unreadable)?;
        let stream: Box<dyn Read + '_> = match self.packing {
            // Some tools name a type without looking at the bytes.
            _ if start == WASM => Box::new(counted),
            Packing::None => Box::new(counted),
            Packing::Gzip => Box::new(MultiGzDecoder::new(counted)),
            Packing::Zstd => Box::new(zstd::Frames::new(counted)),
        };
        let (start, stream) = peek(stream).map_err(unreadable)?;
        let form = match start == WASM {
            true => Form::Component,
            false => self.form,
        };
        if form != self.form {
            tracing::warn!(
                "the layer is WebAssembly, and not the archive that its media type names; publish \
                 it as `application/wasm`"
            );
        }
        let limit = match form {
            Form::Component => self.limit,
            Form::Archive => self.limit.saturating_add(ARCHIVE_ALLOWANCE),
        };
        let mut stream = Bounded::new(stream, seen, limit);
        let expected = Expected {
            limit: self.limit,
            ..Expected::default()
        };
        let staged = match form {
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

/// Looks at the first bytes of a stream, which are read again.
fn peek<R: Read>(mut stream: R) -> io::Result<([u8; 4], impl Read)> {
    let mut start = [0; 4];
    let mut seen = 0;
    while seen < start.len() {
        match stream.read(&mut start[seen..]) {
            Ok(0) => break,
            Ok(n) => seen += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let again = io::Cursor::new(start).take(seen as u64);
    Ok((start, again.chain(stream)))
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
