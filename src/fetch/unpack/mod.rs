//! Unpacks components that are compressed, or in the tar layer of a container
//! image.
//!
//! Data is unpacked while it arrives. The output is limited in size,
//! compression ratio and memory. The caller checks the packed bytes against
//! their descriptor while they are read.

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

/// The magic number of WebAssembly.
const WASM: [u8; 4] = *b"\0asm";
/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;
/// Bytes by which an archive may be larger than the component in it: its
/// headers, and small files beside the component.
const ARCHIVE_ALLOWANCE: u64 = 16 * 1024 * 1024;

/// A compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    /// [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952), with one or more
    /// members.
    Gzip,
    /// [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878), with one or more
    /// frames.
    Zstd,
}

/// The content of the unpacked bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Component,
    /// A tar archive with one `.wasm` file.
    Archive,
}

/// How to unpack a component.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpack {
    pub packing: Packing,
    pub form: Form,
    /// Largest component, in bytes.
    pub limit: u64,
    /// Digest of the unpacked stream, if the image's config gives one.
    pub diff_id: Option<Digest>,
}

impl Unpack {
    /// Reads `packed` and writes the component to `target`.
    pub fn run(&self, packed: impl Read, target: &Path) -> Result<Blob, Stopped> {
        // Use dynamic dispatch: the calls are few and large.
        let counted = bounded::Counted::new(packed);
        let seen = counted.seen();
        let (start, counted) = peek(counted).map_err(unreadable)?;
        let stream: Box<dyn Read + '_> = match self.packing {
            // Some tools declare a compressed type for plain WebAssembly.
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

/// Returns the first bytes of a stream, and a stream that still contains them.
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

/// Copies a stream to the file.
fn copy(from: &mut impl Read, to: &mut StagedFile) -> Result<(), Stopped> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk).map_err(unreadable)? {
            0 => return Ok(()),
            n => to.write(&chunk[..n])?,
        }
    }
}

/// Unwraps the `UnpackError` that [`Bounded`] passes through `io::Error`, since
/// all layers are `Read`.
fn unreadable(error: io::Error) -> Stopped {
    let error = match error.downcast::<UnpackError>() {
        Ok(own) => own,
        Err(other) => UnpackError::Damaged(other),
    };
    Stopped::Content(error.into())
}
