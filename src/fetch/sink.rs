//! Where bytes go: a file in staging that hashes what it is given.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::mpsc;

use super::error::Failure;
use super::http::{HttpError, Meter, next_chunk};
use super::outcome::Blob;
use super::preamble;
use super::progress::Progress;
use crate::digest::{Expected, Mismatch, Verifier};

/// Network chunks are often 8 KiB; the disk is given larger pieces.
const WRITE_SIZE: usize = 512 * 1024;
/// Chunks that may wait for the disk; together with their size this bounds the
/// memory of a download.
const QUEUE: usize = 32;

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

/// One download on its way to disk.
pub(super) struct Download<'a> {
    /// What it is, for messages: `layer 0 (`application/wasm`)`.
    pub what: &'a str,
    pub path: PathBuf,
    pub expected: Expected,
    pub meter: &'a Meter,
    pub progress: &'a dyn Progress,
}

enum Piece {
    Data(Bytes),
    End,
}

/// Streams a body to disk. Hashing and writing run on a thread of their own,
/// beside the network; the queue between them is short.
pub(super) async fn download(
    mut response: Response,
    download: Download<'_>,
) -> Result<Blob, Failure> {
    let total = download.expected.size.or(response.content_length());
    let (queue, pieces) = mpsc::channel(QUEUE);
    let (path, expected) = (download.path, download.expected);
    let writer = tokio::task::spawn_blocking(move || write_pieces(&path, expected, pieces));

    let mut done = 0;
    let mut broken: Option<HttpError> = None;
    loop {
        let piece = match next_chunk(&mut response, download.meter).await {
            Ok(Some(chunk)) => {
                done += chunk.len() as u64;
                Piece::Data(chunk)
            }
            Ok(None) => Piece::End,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        let last = matches!(piece, Piece::End);
        // A writer that is gone says why when it is joined.
        if queue.send(piece).await.is_err() || last {
            break;
        }
        download.progress.bytes(done, total);
    }
    drop(queue);
    let written = writer
        .await
        .map_err(|error| Failure::disk(io::Error::other(error)))?;
    match (written, broken) {
        // The writer stopped for want of pieces.
        (_, Some(error)) => Err(error.into()),
        (Ok(staged), None) => Ok(staged),
        (Err(stopped), None) => Err(Failure::stopped(stopped, download.what)),
    }
}

fn write_pieces(
    path: &Path,
    expected: Expected,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Blob, Stopped> {
    let mut file = StagedFile::create(path, expected).map_err(Stopped::Disk)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Data(chunk)) => file.write(&chunk)?,
            Some(Piece::End) => return file.finish(),
            // The download was given up; dropping the file removes it.
            None => return Err(Stopped::Disk(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}
