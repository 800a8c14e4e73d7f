//! `<id>.evidence.json`: the evidence for a component's signature.

use std::io::{self, Write as _};

use super::error::StoreError;
use super::layout::ComponentFiles;
use crate::file::{Links, read_text};
use crate::verify::Evidence;

/// Largest accepted file, in bytes: a bundle may hold the provenance of a large build.
const MAX_FILE: u64 = 16 << 20;

/// Replaces the file in one rename.
pub(super) fn write(evidence: &Evidence, files: &ComponentFiles) -> Result<(), StoreError> {
    let write = || -> io::Result<()> {
        let text = serde_json::to_vec_pretty(evidence)?;
        let mut file = tempfile::NamedTempFile::new_in(&files.dir)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(&files.evidence)?;
        Ok(())
    };
    write().map_err(StoreError::io("write", &files.evidence))
}

/// Reads the evidence for a component's signature; `None` if no signature was verified.
///
/// # Errors
///
/// When the file cannot be read or parsed.
pub fn read_evidence(files: &ComponentFiles) -> io::Result<Option<Evidence>> {
    match read_text(&files.evidence, MAX_FILE, Links::Refuse) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
