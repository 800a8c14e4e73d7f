//! `<id>.metadata.json`: all that a start needs to know of a component.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::fetch::{Identity, Receipt};
use crate::reference::{ComponentId, Reference};
use crate::schema::ToolRecord;
use crate::verify::Trust;

/// Raised when a reader of the previous version would misread the file.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metadata {
    pub format: u32,
    pub component_id: ComponentId,
    pub created_at: Timestamp,
    /// The address the component was asked for by.
    pub source: Reference,
    /// What the source said of its content; equal means unchanged.
    pub identity: Identity,
    pub digests: Digests,
    pub trust: Trust,
    pub receipt: Receipt,
    pub validation_stamp: ValidationStamp,
    pub component_info: ComponentInfo,
    pub tools: Vec<ToolRecord>,
    /// What the artifact asks to be allowed; grants nothing.
    pub requested_permissions: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Digests {
    pub component: Digest,
    /// The OCI manifest, for components from a registry.
    pub manifest: Option<Digest>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComponentInfo {
    pub world: String,
    pub exports: Vec<String>,
    pub imports: Vec<String>,
}

/// Tells cheaply whether a file is still the one that was validated.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ValidationStamp {
    /// Bytes.
    pub file_size: u64,
    /// Nanoseconds since the Unix epoch.
    pub mtime: u64,
    pub content_hash: Digest,
}

impl ValidationStamp {
    /// Stamps a file whose digest is already known.
    pub fn of(path: &Path, content_hash: Digest) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(ValidationStamp {
            file_size: metadata.len(),
            mtime: mtime_ns(&metadata)?,
            content_hash,
        })
    }

    /// Whether size and time still match; anything else calls for hashing.
    pub fn matches(&self, path: &Path) -> io::Result<bool> {
        let metadata = fs::metadata(path)?;
        Ok(metadata.len() == self.file_size && mtime_ns(&metadata)? == self.mtime)
    }
}

fn mtime_ns(metadata: &fs::Metadata) -> io::Result<u64> {
    let since_epoch = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

impl Metadata {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// `InvalidData` when it is not this format.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let mut metadata: Metadata = serde_json::from_slice(&bytes).map_err(io::Error::from)?;
        if metadata.format != FORMAT {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("format {} is not {FORMAT}", metadata.format),
            ));
        }
        metadata.tools.retain_mut(|tool| {
            let fit = tool.make_fit();
            if let Err(reason) = &fit {
                let id = &metadata.component_id;
                tracing::warn!("a tool of `{id}` is not offered: {reason}");
            }
            fit.is_ok()
        });
        Ok(metadata)
    }

    /// Writes the file, synced to disk, replacing what is there in one step.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(io::Error::from)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}
