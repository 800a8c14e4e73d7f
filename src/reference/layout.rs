//! References to artifacts in OCI image layouts.

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

use super::{InvalidReference, file_path, oci};
use crate::digest::Digest;

/// `oci-layout:///absolute/path[:tag][@digest]`. Without tag and digest it
/// means the only artifact of the layout.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayoutReference {
    path: PathBuf,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl LayoutReference {
    /// Returns the directory of the layout: absolute, without `.` and `..`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the tag; ignored for resolution if there is a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest of the OCI manifest, if the reference is pinned.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }
}

impl fmt::Display for LayoutReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::from_file_path(&self.path) {
            // Escape the separators of tag and digest.
            Ok(url) => {
                let path = url.path().replace(':', "%3A").replace('@', "%40");
                write!(f, "oci-layout://{path}")?;
            }
            // The parser produces only absolute paths; this is for values built by code.
            Err(()) => write!(f, "oci-layout://{}", self.path.display())?,
        }
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Parses the rest of `text` from byte `start`, behind `oci-layout://`.
pub(super) fn parse(text: &str, start: usize) -> Result<LayoutReference, InvalidReference> {
    if !text[start..].starts_with('/') {
        let reason = "the path must be absolute: `oci-layout:///…`";
        return Err(InvalidReference::new(text, start, reason));
    }
    let last = text.rfind('/').unwrap_or(start);
    let at_sign = text[last..].find('@').map(|at| last + at);
    let name_end = at_sign.unwrap_or(text.len());
    let colon = text[last..name_end].find(':').map(|at| last + at);
    let tag = colon
        .map(|colon| oci::tag(text, colon + 1, name_end))
        .transpose()?;
    let digest = at_sign
        .map(|at| {
            text[at + 1..]
                .parse::<Digest>()
                .map_err(|error| InvalidReference::new(text, at + 1, error.to_string()))
        })
        .transpose()?;
    let path = file_path(text, start, colon.unwrap_or(name_end))?;
    if path.file_name().is_none() {
        let reason = "the path must name a directory";
        return Err(InvalidReference::new(text, start, reason));
    }
    Ok(LayoutReference { path, tag, digest })
}
