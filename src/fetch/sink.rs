//! Writes components to the staging directory, with their digest and preamble
//! checked.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::error::ErrorKind;
use super::outcome::Blob;
use super::parts::{self, Part};
use super::preamble;
use super::queue::{Chunk, Piece};
use super::unpack::Unpack;
use crate::digest::{Expected, Mismatch, Verifier};
use crate::file::FileLock;

/// Buffer size. Network chunks are often 8 KiB, and larger writes are faster.
const WRITE_SIZE: usize = 512 * 1024;

/// A file that is hashed while it is written, and removed unless finished.
pub(super) struct StagedFile {
    // Fields are dropped in this order: the lock must be released last, after
    // the file has been removed or flushed.
    unfinished: Unfinished,
    file: BufWriter<File>,
    /// The lock of a partial file.
    _lock: Option<FileLock>,
    expected: Expected,
    verifier: Verifier,
    start: Vec<u8>,
}

/// Why writing stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    Mismatch(Mismatch),
    Disk(io::Error),
    /// The content does not unpack or does not start like a component.
    Content(ErrorKind),
}

impl StagedFile {
    /// Creates the file, or truncates an existing one.
    pub fn create(path: &Path, expected: Expected) -> io::Result<Self> {
        let file = File::create(path)?;
        let unfinished = Unfinished {
            at: path.to_owned(),
            target: path.to_owned(),
            kept: false,
        };
        Ok(Self::over(file, None, unfinished, expected))
    }

    /// Opens the partial file in `parts` to resume it, or creates one.
    pub fn reopen(path: &Path, expected: Expected, parts: &Path) -> io::Result<Self> {
        let Some(digest) = &expected.digest else {
            return Self::create(path, expected);
        };
        match parts::open(parts, digest) {
            Ok(Some(part)) => Self::of_part(part, path, expected),
            Ok(None) => Self::create(path, expected),
            Err(error) => {
                let parts = parts.display();
                tracing::warn!("`{parts}` cannot be used, and no download is continued: {error}");
                Self::create(path, expected)
            }
        }
    }

    fn of_part(part: Part, target: &Path, expected: Expected) -> io::Result<Self> {
        let unfinished = Unfinished {
            at: part.path,
            target: target.to_owned(),
            kept: true,
        };
        let mut staged = Self::over(part.file, Some(part.lock), unfinished, expected);
        staged.resume()?;
        staged.unfinished.kept = staged.length() > 0;
        Ok(staged)
    }

    fn over(
        file: File,
        lock: Option<FileLock>,
        unfinished: Unfinished,
        expected: Expected,
    ) -> Self {
        StagedFile {
            unfinished,
            file: BufWriter::with_capacity(WRITE_SIZE, file),
            _lock: lock,
            expected,
            verifier: Verifier::new(expected),
            start: Vec::with_capacity(preamble::LENGTH),
        }
    }

    /// Hashes the existing content. The last byte is always dropped and
    /// requested again, so that the source is asked even if the file is
    /// complete.
    fn resume(&mut self) -> io::Result<()> {
        let most = self
            .expected
            .size
            .unwrap_or(u64::MAX)
            .min(self.expected.limit);
        let there = self.file.get_ref().metadata()?.len();
        let mut left = there.min(most.saturating_sub(1));
        let mut chunk = vec![0; WRITE_SIZE];
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            let read = self.file.get_ref().read(&mut chunk[..length])?;
            if read == 0 || self.check(&chunk[..read]).is_err() {
                break;
            }
            left -= read as u64;
        }
        let kept = self.verifier.seen();
        self.file.get_ref().set_len(kept)?;
        self.file.seek(SeekFrom::Start(kept)).map(drop)
    }

    /// Bytes written so far.
    pub fn length(&self) -> u64 {
        self.verifier.seen()
    }

    /// Hashes and writes a chunk. Fails once the expected size or the limit is
    /// exceeded.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Stopped> {
        if let Err(mismatch) = self.check(chunk) {
            self.unfinished.kept = false;
            return Err(Stopped::Mismatch(mismatch));
        }
        self.unfinished.kept = self.unfinished.at != self.unfinished.target;
        self.file.write_all(chunk).map_err(Stopped::Disk)
    }

    fn check(&mut self, chunk: &[u8]) -> Result<(), Mismatch> {
        self.verifier.update(chunk)?;
        let missing = preamble::LENGTH - self.start.len();
        self.start.extend(chunk.iter().take(missing));
        Ok(())
    }

    /// Discards all data so far.
    fn restart(&mut self) -> Result<(), Stopped> {
        self.verifier = Verifier::new(self.expected);
        self.start.clear();
        self.unfinished.kept = false;
        let rewound = self.file.rewind();
        rewound
            .and_then(|()| self.file.get_ref().set_len(0))
            .map_err(Stopped::Disk)
    }

    /// Finishes the file: checks digest, size and preamble, and moves a partial
    /// file to its target.
    pub fn finish(mut self) -> Result<Blob, Stopped> {
        self.file.flush().map_err(Stopped::Disk)?;
        // From here on, the file is either complete or useless.
        self.unfinished.kept = false;
        let (digest, size) = self.verifier.finish().map_err(Stopped::Mismatch)?;
        preamble::check(&self.start).map_err(Stopped::Content)?;
        let path = self.unfinished.keep().map_err(Stopped::Disk)?;
        Ok(Blob { path, digest, size })
    }
}

/// Removes the file when dropped, unless it is kept to be resumed.
struct Unfinished {
    at: PathBuf,
    /// Where to move the finished file.
    target: PathBuf,
    /// Whether to keep the file for a later download.
    kept: bool,
}

impl Unfinished {
    fn keep(mut self) -> io::Result<PathBuf> {
        if self.at != self.target {
            std::fs::rename(&self.at, &self.target)?;
        }
        self.at = PathBuf::new();
        Ok(std::mem::take(&mut self.target))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept && !self.at.as_os_str().is_empty() {
            // If this fails, the file is removed with the staging directory.
            let _ = std::fs::remove_file(&self.at);
        }
    }
}

/// Writes and hashes the data from the queue.
pub(super) fn write_pieces(
    mut file: StagedFile,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Blob, Stopped> {
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Data(chunk)) => file.write(&chunk.bytes)?,
            Some(Piece::Restart) => file.restart()?,
            Some(Piece::End) => return file.finish(),
            // The download was cancelled or has failed.
            None => return Err(Stopped::Disk(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// Unpacks, checks and writes the data from the queue.
pub(super) fn unpack_pieces(
    path: &Path,
    (expected, unpack): (Expected, Unpack),
    queue: mpsc::Receiver<Piece>,
) -> Result<Blob, Stopped> {
    let mut pieces = Pieces {
        queue,
        current: None,
        state: State::Open,
    };
    loop {
        let source = Source {
            bytes: &mut pieces,
            expected,
            unpack: Some(unpack),
        };
        let copied = copy(source, path);
        // After a restart, discard the result: its data was incomplete and its
        // file has been removed.
        if pieces.state != State::Restarted {
            return copied;
        }
        pieces.state = State::Open;
    }
}

/// A component to copy from a stream.
pub(super) struct Source<R> {
    pub bytes: R,
    /// Digest and size of the stored, possibly packed, bytes.
    pub expected: Expected,
    pub unpack: Option<Unpack>,
}

/// Writes a component to `target`, unpacked if necessary.
pub(super) fn copy<R: Read>(source: Source<R>, target: &Path) -> Result<Blob, Stopped> {
    let Some(unpack) = &source.unpack else {
        return copy_plain(source, target);
    };
    let mut packed = Checked::new(source.bytes, source.expected);
    let unpacked = unpack.run(&mut packed, target);
    // If the packed bytes do not match their digest, report that rather than an
    // unpacking error that follows from it. After a limit was exceeded, do not
    // read on to compute the digest.
    let limited = match &unpacked {
        Err(Stopped::Content(ErrorKind::Unpack(error))) => error.is_limit(),
        Err(Stopped::Mismatch(mismatch)) => matches!(mismatch, Mismatch::TooLarge { .. }),
        Err(Stopped::Disk(_)) => true,
        _ => false,
    };
    let checked = match limited {
        true => Ok(()),
        false => packed.finish(),
    };
    checked.and(unpacked).inspect_err(|_| {
        // The unpacked file may be complete although its source does not match.
        let _ = std::fs::remove_file(target);
    })
}

fn copy_plain<R: Read>(mut source: Source<R>, target: &Path) -> Result<Blob, Stopped> {
    let mut staged = StagedFile::create(target, source.expected).map_err(Stopped::Disk)?;
    let mut chunk = vec![0; WRITE_SIZE];
    loop {
        match source.bytes.read(&mut chunk).map_err(Stopped::Disk)? {
            0 => return staged.finish(),
            n => staged.write(&chunk[..n])?,
        }
    }
}

/// A stream whose digest and size are checked while it is read.
struct Checked<R> {
    inner: R,
    verifier: Verifier,
    stopped: Option<Stopped>,
}

impl<R: Read> Checked<R> {
    fn new(inner: R, expected: Expected) -> Self {
        Checked {
            inner,
            verifier: Verifier::new(expected),
            stopped: None,
        }
    }

    /// Reads to the end and checks the digest and size of the whole.
    fn finish(mut self) -> Result<(), Stopped> {
        let mut chunk = vec![0; WRITE_SIZE];
        while self.stopped.is_none() {
            match self.read(&mut chunk) {
                Ok(0) => return self.verifier.finish().map(drop).map_err(Stopped::Mismatch),
                Ok(_) => {}
                Err(error) => return Err(self.stopped.unwrap_or(Stopped::Disk(error))),
            }
        }
        self.stopped.map_or(Ok(()), Err)
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopped.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let n = self.inner.read(buffer)?;
        self.verifier.update(&buffer[..n]).map_err(|mismatch| {
            self.stopped = Some(Stopped::Mismatch(mismatch));
            io::Error::from(io::ErrorKind::InvalidData)
        })?;
        Ok(n)
    }
}

/// The queue of a download as a `Read`.
struct Pieces {
    queue: mpsc::Receiver<Piece>,
    current: Option<Chunk>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The data so far was discarded; what follows is a new stream.
    Restarted,
    Ended,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_read = |chunk: &Chunk| chunk.bytes.is_empty();
        while self.current.as_ref().is_none_or(is_read) && self.state != State::Ended {
            self.current = None;
            if self.state == State::Restarted {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match self.queue.blocking_recv() {
                Some(Piece::Data(chunk)) => self.current = Some(chunk),
                Some(Piece::Restart) => self.state = State::Restarted,
                Some(Piece::End) => self.state = State::Ended,
                // The download was cancelled or has failed.
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let Some(chunk) = &mut self.current else {
            return Ok(0);
        };
        let n = buffer.len().min(chunk.bytes.len());
        buffer[..n].copy_from_slice(&chunk.bytes.split_to(n));
        Ok(n)
    }
}
