//! Copies components from local files, binary or text (`.wat`).

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use tokio::sync::watch;

use super::destination::Destination;
use super::error::ErrorKind;
use super::outcome::{Blob, Identity, Parts};
use super::progress::Progress;
use super::sink::StagedFile;
use crate::digest::{Expected, Mismatch};
use crate::file::{Links, open_regular};

const CHUNK: usize = 512 * 1024;
/// Text is converted in memory, so its limit is lower than that of binaries.
const MAX_TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// The identity of a file, from its metadata.
pub(super) async fn resolve(path: &Path) -> Result<(Identity, Option<Bytes>), ErrorKind> {
    let metadata = tokio::fs::metadata(path).await.map_err(ErrorKind::file)?;
    regular(&metadata)?;
    Ok((identity(&metadata), None))
}

/// Copies the file. The identity is taken before the first byte is read, so
/// that a concurrent change is noticed at the next look-up.
pub(super) async fn fetch(
    path: &Path,
    target: &Destination,
    limit: u64,
    progress: &dyn Progress,
) -> Result<Parts, ErrorKind> {
    let path = path.to_owned();
    let (report, mut reports) = watch::channel((0, None));
    let copy = target.write(move |target| copy(&path, target, limit, &report));
    while reports.changed().await.is_ok() {
        let (done, total) = *reports.borrow_and_update();
        progress.bytes(done, total);
    }
    let copied = copy
        .await
        .map_err(|error| ErrorKind::disk(io::Error::other(error)))?;
    let (identity, component) = copied?;
    Ok(Parts {
        identity,
        component,
        artifact: None,
        policy: None,
    })
}

type Report = watch::Sender<(u64, Option<u64>)>;

fn copy(
    path: &Path,
    target: &Path,
    limit: u64,
    report: &Report,
) -> Result<(Identity, Blob), ErrorKind> {
    let source = open_regular(path, Links::Follow).map_err(ErrorKind::file)?;
    let metadata = source.metadata().map_err(ErrorKind::file)?;
    let text = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("wat"));
    let blob = if text {
        convert(source, target, limit.min(MAX_TEXT_BYTES))?
    } else {
        transfer(source, target, limit, metadata.len(), report)?
    };
    Ok((identity(&metadata), blob))
}

fn transfer(
    mut source: File,
    target: &Path,
    limit: u64,
    size: u64,
    report: &Report,
) -> Result<Blob, ErrorKind> {
    if size > limit {
        return Err(ErrorKind::too_large("the file", limit));
    }
    let expected = Expected {
        limit,
        ..Expected::default()
    };
    let stopped = |stopped| ErrorKind::stopped(stopped, "the file");
    let mut staged = StagedFile::create(target, expected).map_err(ErrorKind::disk)?;
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    loop {
        let n = source.read(&mut chunk).map_err(ErrorKind::file)?;
        if n == 0 {
            break;
        }
        staged.write(&chunk[..n]).map_err(stopped)?;
        done += n as u64;
        // The receiver was dropped: the load was cancelled.
        if report.send((done, Some(size))).is_err() {
            return Err(ErrorKind::disk(io::ErrorKind::Interrupted.into()));
        }
    }
    staged.finish().map_err(stopped)
}

fn convert(source: File, target: &Path, limit: u64) -> Result<Blob, ErrorKind> {
    let mut text = Vec::new();
    source
        .take(limit + 1)
        .read_to_end(&mut text)
        .map_err(ErrorKind::file)?;
    if text.len() as u64 > limit {
        return Err(ErrorKind::stopped(
            super::sink::Stopped::Mismatch(Mismatch::TooLarge { limit }),
            "the text file",
        ));
    }
    let binary =
        wat::parse_bytes(crate::text::bytes_without_bom(&text)).map_err(ErrorKind::Text)?;
    let stopped = |stopped| ErrorKind::stopped(stopped, "the file");
    let mut staged = StagedFile::create(target, Expected::default()).map_err(ErrorKind::disk)?;
    staged.write(&binary).map_err(stopped)?;
    staged.finish().map_err(stopped)
}

fn regular(metadata: &Metadata) -> Result<(), ErrorKind> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(ErrorKind::NotAFile)
    }
}

fn identity(metadata: &Metadata) -> Identity {
    // On file systems without modification times, only the size is compared.
    let mtime_ns = metadata
        .modified()
        .map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
        });
    Identity::File {
        size: metadata.len(),
        mtime_ns,
    }
}
