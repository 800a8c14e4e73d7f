//! `<id>.metadata.json`: everything that a start needs to know about a component.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kept::KeptFile;
use crate::digest::Digest;
use crate::fetch::{Identity, Receipt};
use crate::file::{self, Links, read_text};
use crate::reference::{ComponentId, Reference};
use crate::schema::{ToolRecord, Uncallable};
use crate::verify::Trust;

use super::layout::ComponentFiles;

/// Raised when a reader of the previous format would misread the file.
pub const FORMAT: u32 = 2;
/// The first format, which had no checksum and no second copy.
const WITHOUT_CHECKSUM: u32 = 1;
/// Largest accepted file, in bytes; large, because tools may have large schemas.
const MAX_FILE: u64 = 64 << 20;
/// Start of the last member of the file: the digest of everything before it.
const CHECKSUM: &str = ",\n  \"checksum\": \"";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metadata {
    pub format: u32,
    pub component_id: ComponentId,
    pub created_at: Timestamp,
    /// The reference that the component was loaded by; of a package, that of the
    /// artifact.
    pub source: Reference,
    /// The name of the package that it was loaded by, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Reference>,
    /// The source's report about its content; if it is equal, nothing changed.
    pub identity: Identity,
    pub digests: Digests,
    pub trust: Trust,
    pub receipt: Receipt,
    pub validation_stamp: ValidationStamp,
    pub component_info: ComponentInfo,
    pub tools: Vec<ToolRecord>,
    /// The exported functions that cannot be tools, and why; `None` in files that an
    /// older version wrote.
    #[serde(default)]
    pub not_callable: Option<Vec<Uncallable>>,
    /// The permissions that the artifact requests; they grant nothing.
    pub requested_permissions: Option<Value>,
    /// The kept documents and blobs of the artifact: all of them, or `None`.
    #[serde(default)]
    pub kept: Option<Vec<KeptFile>>,
    /// The path or address of the manifest whose `apply` installed it; absent for components
    /// loaded by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Digests {
    pub component: Digest,
    /// The OCI manifest, for components from a registry.
    pub manifest: Option<Digest>,
}

impl Digests {
    /// Returns the digest that covers most: the OCI manifest's, which includes the artifact's
    /// descriptions and requested permissions, or else the component's.
    pub fn whole(&self) -> Digest {
        self.manifest.unwrap_or(self.component)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComponentInfo {
    pub world: String,
    pub exports: Vec<String>,
    pub imports: Vec<String>,
}

/// Shows without hashing whether a file is still the one that was validated.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ValidationStamp {
    /// In bytes.
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

    /// Whether size and time still match; if not, the file must be hashed.
    pub fn matches(&self, path: &Path) -> io::Result<bool> {
        let metadata = fs::metadata(path)?;
        Ok(metadata.len() == self.file_size && mtime_ns(&metadata)? == self.mtime)
    }
}

fn read(path: &Path) -> io::Result<String> {
    read_text(path, MAX_FILE, Links::Follow)
}

fn mtime_ns(metadata: &fs::Metadata) -> io::Result<u64> {
    let since_epoch = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

impl Metadata {
    /// What an update asks for: the name of the package, which may stand for a newer
    /// version by now, or else the source.
    pub fn asked_for(&self) -> &Reference {
        self.package.as_ref().unwrap_or(&self.source)
    }

    /// Whether it is from this source, whatever the tag, digest or version.
    pub fn is_from(&self, source: &Reference) -> bool {
        let package = self.package.as_ref();
        self.source.same_source(source) || package.is_some_and(|own| own.same_source(source))
    }

    /// Reads the file, in this format or the previous one.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the format or the checksum is wrong.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = read(path)?;
        let mut metadata: Metadata = serde_json::from_str(&text).map_err(io::Error::from)?;
        metadata.check_format(&text)?;
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

    /// Reads the file, or else its copy.
    ///
    /// # Errors
    ///
    /// The error of the first file, when neither can be read.
    pub fn read_either(files: &ComponentFiles) -> io::Result<Self> {
        Metadata::read(&files.metadata)
            .or_else(|error| Metadata::read(&files.metadata_copy).map_err(|_| error))
    }

    /// Returns the format of a file that a newer version of this program wrote, whatever the rest
    /// of it looks like; `None` for other files.
    pub fn newer_format(path: &Path) -> Option<u32> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(&read(path).ok()?).ok()?;
        (format > FORMAT).then_some(format)
    }

    fn check_format(&self, text: &str) -> io::Result<()> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        match (self.format, text.rsplit_once(CHECKSUM)) {
            (FORMAT, Some((before, rest))) => {
                let found = rest.split('"').next().unwrap_or_default();
                if found == Digest::of(before.as_bytes()).to_string() {
                    Ok(())
                } else {
                    Err(invalid("it was changed after it was written".into()))
                }
            }
            (WITHOUT_CHECKSUM, None) => Ok(()),
            (format, _) => Err(invalid(format!("format {format} is not {FORMAT}"))),
        }
    }

    /// Whether the file was read in an older format and should be rewritten.
    pub fn is_outdated(&self) -> bool {
        self.format != FORMAT
    }

    /// Writes the file and its copy, synced to disk.
    pub fn write_both(&self, files: &ComponentFiles) -> io::Result<()> {
        self.write(&files.metadata)?;
        self.write(&files.metadata_copy)?;
        file::sync(&files.dir)
    }

    /// Replaces the file in one rename.
    fn write(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(self.to_text()?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    fn to_text(&self) -> io::Result<String> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        // The checksum goes before the closing brace of the object.
        text.truncate(text.len() - "\n}".len());
        let checksum = Digest::of(text.as_bytes());
        text.push_str(&format!("{CHECKSUM}{checksum}\"\n}}\n"));
        Ok(text)
    }
}
