//! `--audit-log FILE`: JSON lines, each appended with a single write.
//!
//! When a line cannot be written, its call has already run; from then on calls are
//! refused until the file can be written again. A file that was moved or removed is
//! created anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::error::{Class, Diagnose};
use crate::file::{Links, Unusable, is_at, open_regular_with};
use crate::text::json_line;

/// An open audit log.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// Lines are missing, and the last one may be incomplete.
    Failed,
}

/// The reason why the audit log cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("Failed to open the audit log `{}`", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("The audit log `{}` is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("The call was not begun, since the audit log cannot be written")]
    Write(#[source] io::Error),
}

impl Diagnose for AuditError {
    fn code(&self) -> &'static str {
        "audit-log-failed"
    }

    fn class(&self) -> Class {
        match self {
            AuditError::NotAFile { .. } => Class::Usage,
            AuditError::Open { .. } | AuditError::Write(_) => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            AuditError::Open { .. } => return None,
            AuditError::NotAFile { .. } => "name a file, or one that does not exist yet",
            AuditError::Write(_) => "the operator of the server has to make room for it",
        };
        Some(hint.into())
    }
}

impl AuditLog {
    /// Opens the file for appending; creates it, readable by its owner alone, if it
    /// does not exist.
    ///
    /// # Errors
    ///
    /// [`AuditError::Open`] and [`AuditError::NotAFile`].
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let failed = |source| AuditError::Open {
            path: path.into(),
            source,
        };
        let path = std::path::absolute(path).map_err(failed)?;
        let file = append_to(&path).map_err(|source| match Unusable::of(&source) {
            Some(_) => AuditError::NotAFile { path: path.clone() },
            None => failed(source),
        })?;
        Ok(AuditLog {
            path,
            state: Mutex::new(State {
                file,
                health: Health::Sound,
            }),
        })
    }

    /// Refuses the next call if the last line could not be written, unless the file
    /// can be written again.
    ///
    /// # Errors
    ///
    /// [`AuditError::Write`].
    pub(in crate::mcp) fn ready(&self) -> Result<(), AuditError> {
        let mut state = self.state();
        if state.health == Health::Sound {
            return Ok(());
        }
        // The newline in front ends an incomplete line.
        let resumed = json!({ "time": format!("{:.6}", Timestamp::now()), "event": "resumed" });
        let line = format!("\n{resumed}\n");
        self.append(&mut state, line.as_bytes())
            .map_err(AuditError::Write)?;
        state.health = Health::Sound;
        Ok(())
    }

    /// Appends a line; a failure is logged and refuses the next call.
    pub(super) fn write(&self, line: &impl Serialize) {
        let mut state = self.state();
        let written = json_line(line).map_err(io::Error::from).and_then(|line| {
            // This only writes to the page cache, which takes microseconds.
            self.append(&mut state, format!("{line}\n").as_bytes())
        });
        if let Err(error) = written {
            state.health = Health::Failed;
            tracing::error!("calls are refused: the audit log cannot be written: {error}");
        }
    }

    fn append(&self, state: &mut State, line: &[u8]) -> io::Result<()> {
        if !is_at(&state.file, &self.path) {
            state.file = append_to(&self.path)?;
        }
        // One write, so that the lines of several processes do not mix.
        loop {
            return match state.file.write(line) {
                Ok(written) if written == line.len() => Ok(()),
                Ok(_) => Err(io::ErrorKind::StorageFull.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No statement leaves the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // A link could lead to any other file of this user; a pipe would block calls
    // until it is read.
    open_regular_with(path, &mut options, Links::Refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_moved_away_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let log = AuditLog::open(&path).unwrap();
        log.write(&json!({ "n": 1 }));
        let old = dir.path().join("audit.log.1");
        std::fs::rename(&path, &old).unwrap();
        log.write(&json!({ "n": 2 }));
        log.ready().unwrap();
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "{\"n\":1}\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"n\":2}\n");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        AuditLog::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_written_stops_calls_until_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("logs");
        std::fs::create_dir(&place).unwrap();
        let log = AuditLog::open(&place.join("audit.log")).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        log.write(&json!({}));
        assert!(matches!(log.ready(), Err(AuditError::Write(_))));
        std::fs::create_dir(&place).unwrap();
        log.ready().unwrap();
        let text = std::fs::read_to_string(place.join("audit.log")).unwrap();
        assert!(text.contains(r#""event":"resumed""#), "{text}");
    }

    #[test]
    fn a_directory_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            AuditLog::open(dir.path()),
            Err(AuditError::NotAFile { .. })
        ));
        let absent = dir.path().join("absent/audit.log");
        assert!(matches!(
            AuditLog::open(&absent),
            Err(AuditError::Open { .. })
        ));
    }
}
