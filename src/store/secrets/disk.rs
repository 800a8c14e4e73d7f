//! Reading and replacing the files of secrets, and checking who may access them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::Exposure;
use super::{MAX_TOTAL, SecretError, SecretKey, Secrets};
use crate::file::{FileLock, Links, Unusable, create_private, open_regular};
use crate::store::disk::{self, sync};
use crate::store::{staging, wait::Patience};

/// Raised when a reader of the previous format would misread the file.
const FORMAT: u32 = 1;
/// Largest accepted file, in bytes; one byte of a value may take six in JSON.
const MAX_FILE: u64 = 8 * MAX_TOTAL as u64;
const LOCK: &str = ".lock";
/// The file for the next version; only the lock's holder writes it.
const NEXT: &str = ".next";

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    secrets: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    secrets: BTreeMap<SecretKey, String>,
}

/// Takes the lock for changes; creates the directory at first use.
pub(super) fn lock(dir: &Path) -> Result<FileLock, SecretError> {
    create_private(dir).map_err(SecretError::io("create", dir))?;
    check_dir(dir)?;
    let lock = dir.join(LOCK);
    staging::exclusive(&lock, Patience::default()).map_err(|error| SecretError::Io {
        action: "lock",
        path: lock,
        source: io::Error::other(error),
    })
}

/// Reads the secrets; a missing file holds none.
pub(super) fn read(dir: &Path, path: &Path) -> Result<Secrets, SecretError> {
    let Some(file) = open(path)? else {
        return Ok(Secrets::default());
    };
    check_dir(dir)?;
    let metadata = file.metadata().map_err(SecretError::io("read", path))?;
    check(path, &metadata)?;
    let mut text = Zeroizing::new(Vec::new());
    let read = file.take(MAX_FILE + 1).read_to_end(&mut text);
    read.map_err(SecretError::io("read", path))?;
    parse(&text).map_err(|reason| SecretError::Damaged {
        path: path.into(),
        reason,
    })
}

fn open(path: &Path) -> Result<Option<File>, SecretError> {
    match open_regular(path, Links::Refuse) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if Unusable::of(&error).is_some() => Err(SecretError::Exposed {
            path: path.into(),
            reason: Exposure::Kind,
        }),
        file => file.map(Some).map_err(SecretError::io("open", path)),
    }
}

/// Parses a file of secrets. The error quotes nothing of it.
fn parse(text: &[u8]) -> Result<Secrets, String> {
    if text.len() as u64 > MAX_FILE {
        return Err("it is too large".into());
    }
    let stored: Stored = serde_json::from_slice(text).map_err(|error| {
        // The parser's own message could quote a secret.
        let (line, column) = (error.line(), error.column());
        format!("it is not the JSON expected (line {line}, column {column})")
    })?;
    if stored.format != FORMAT {
        return Err(format!("format {} is not {FORMAT}", stored.format));
    }
    let secrets = stored.secrets.into_iter();
    let secrets = Secrets(secrets.map(|(key, value)| (key, value.into())).collect());
    secrets.check().map_err(|error| error.to_string())?;
    Ok(secrets)
}

/// Replaces the file in one rename, or removes it when there are no secrets. The
/// caller must hold the lock.
pub(super) fn write(dir: &Path, path: &Path, secrets: &Secrets) -> Result<(), SecretError> {
    if secrets.is_empty() {
        fs::remove_file(path).map_err(SecretError::io("remove", path))?;
    } else {
        let next = dir.join(NEXT);
        write_next(&next, secrets).map_err(SecretError::io("write", &next))?;
        fs::rename(&next, path).map_err(SecretError::io("replace", path))?;
    }
    sync(dir).map_err(|error| SecretError::Io {
        action: "sync",
        path: dir.into(),
        source: io::Error::other(error),
    })
}

fn write_next(next: &Path, secrets: &Secrets) -> io::Result<()> {
    // Left over from a process that was killed.
    disk::remove_file(next)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = Written {
        format: FORMAT,
        secrets: secrets
            .iter()
            .map(|(key, value)| (key.as_str(), value.expose()))
            .collect(),
    };
    let mut text = Zeroizing::new(serde_json::to_vec_pretty(&written)?);
    text.push(b'\n');
    let mut file = options.open(next)?;
    file.write_all(&text)?;
    file.sync_all()
}

/// Other users with write access to the directory could replace the secrets.
fn check_dir(dir: &Path) -> Result<(), SecretError> {
    let metadata = fs::metadata(dir).map_err(SecretError::io("read", dir))?;
    check(dir, &metadata)
}

#[cfg(unix)]
fn check(path: &Path, metadata: &Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    let reason = if metadata.uid() != user {
        Exposure::Owner
    } else if metadata.mode() & 0o077 != 0 {
        Exposure::Mode
    } else {
        return Ok(());
    };
    Err(SecretError::Exposed {
        path: path.into(),
        reason,
    })
}

/// On other systems the user's directory is closed to other users.
#[cfg(not(unix))]
fn check(_: &Path, _: &Metadata) -> Result<(), SecretError> {
    Ok(())
}
