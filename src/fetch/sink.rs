//! Where bytes go: a file in staging that hashes what it is given.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::error::Failure;
use super::outcome::Blob;
use super::preamble;
use super::unpack::Unpack;
use crate::digest::{Expected, Mismatch, Verifier};

/// Network chunks are often 8 KiB; the disk is given larger pieces.
const WRITE_SIZE: usize = 512 * 1024;

/// A file that is checked while it is written, and removed unless finished.
pub(super) struct StagedFile {
    file: BufWriter<File>,
    unfinished: Unfinished,
    verifier: Verifier,
    start: Vec<u8>,
}

/// Why writing stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    Mismatch(Mismatch),
    Disk(io::Error),
    /// It does not start like a component.
    Content(Failure),
}

impl StagedFile {
    pub fn create(path: &Path, expected: Expected) -> io::Result<Self> {
        Ok(StagedFile {
            file: BufWriter::with_capacity(WRITE_SIZE, File::create(path)?),
            unfinished: Unfinished(path.to_owned()),
            verifier: Verifier::new(expected),
            start: Vec::with_capacity(preamble::LENGTH),
        })
    }

    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Stopped> {
        self.verifier.update(chunk).map_err(Stopped::Mismatch)?;
        let missing = preamble::LENGTH - self.start.len();
        self.start.extend(chunk.iter().take(missing));
        self.file.write_all(chunk).map_err(Stopped::Disk)
    }

    /// Ends the file, which is kept if it is what was promised and starts like
    /// a component.
    pub fn finish(mut self) -> Result<Blob, Stopped> {
        self.file.flush().map_err(Stopped::Disk)?;
        let (digest, size) = self.verifier.finish().map_err(Stopped::Mismatch)?;
        preamble::check(&self.start).map_err(Stopped::Content)?;
        let path = self.unfinished.keep();
        Ok(Blob { path, digest, size })
    }
}

/// Removes its file when dropped.
struct Unfinished(PathBuf);

impl Unfinished {
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What cannot be removed goes with the staging directory.
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// What the writer of a file is given.
pub(super) enum Piece {
    Data(Bytes),
    /// What came so far does not count.
    Restart,
    End,
}

/// Writes and hashes what comes through the queue.
pub(super) fn write_pieces(
    path: &Path,
    expected: Expected,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Blob, Stopped> {
    let mut file = StagedFile::create(path, expected).map_err(Stopped::Disk)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Data(chunk)) => file.write(&chunk)?,
            Some(Piece::Restart) => {
                // Removes the old file, so before the new one is made.
                drop(file);
                file = StagedFile::create(path, expected).map_err(Stopped::Disk)?;
            }
            Some(Piece::End) => return file.finish(),
            // The download was given up; dropping the file removes it.
            None => return Err(Stopped::Disk(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// Unpacks, checks and writes what comes through the queue.
pub(super) fn unpack_pieces(
    path: &Path,
    (expected, unpack): (Expected, Unpack),
    queue: mpsc::Receiver<Piece>,
) -> Result<Blob, Stopped> {
    let mut pieces = Pieces {
        queue,
        current: Bytes::new(),
        state: State::Open,
    };
    loop {
        let source = Source {
            bytes: &mut pieces,
            expected,
            unpack: Some(unpack),
        };
        let copied = copy(source, path);
        // Whatever came of the pieces before does not count; their file is gone.
        if pieces.state != State::Restarted {
            return copied;
        }
        pieces.state = State::Open;
    }
}

/// A component that is read from this machine.
pub(super) struct Source<R> {
    pub bytes: R,
    /// Of the bytes as they are stored.
    pub expected: Expected,
    pub unpack: Option<Unpack>,
}

/// Brings a component to `target`.
pub(super) fn copy<R: Read>(source: Source<R>, target: &Path) -> Result<Blob, Stopped> {
    let Some(unpack) = &source.unpack else {
        return copy_plain(source, target);
    };
    let mut packed = Checked::new(source.bytes, source.expected);
    let unpacked = unpack.run(&mut packed, target);
    // Bytes that differ from what was promised are the reason for whatever
    // else is wrong with them. Behind a limit, nothing more is read.
    let limited = match &unpacked {
        Err(Stopped::Content(Failure::Unpack(error))) => error.is_limit(),
        Err(Stopped::Mismatch(mismatch)) => matches!(mismatch, Mismatch::TooLarge { .. }),
        Err(Stopped::Disk(_)) => true,
        _ => false,
    };
    let checked = match limited {
        true => Ok(()),
        false => packed.finish(),
    };
    checked.and(unpacked).inspect_err(|_| {
        // It may be complete, and its source not what was promised.
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

/// A stream that is held to its promise while it is read.
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

    /// Reads what is left, and holds it all to its promise.
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

/// The pieces of a download, as a stream.
struct Pieces {
    queue: mpsc::Receiver<Piece>,
    current: Bytes,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What follows is the beginning of another stream.
    Restarted,
    Ended,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && self.state != State::Ended {
            if self.state == State::Restarted {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match self.queue.blocking_recv() {
                Some(Piece::Data(chunk)) => self.current = chunk,
                Some(Piece::Restart) => self.state = State::Restarted,
                Some(Piece::End) => self.state = State::Ended,
                // The download was given up.
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let n = buffer.len().min(self.current.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}
