//! References: the sources of components. Parsing is pure: it uses neither the network nor the
//! disk.
//!
//! ```text
//! oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]
//! https://HOST[:PORT]/PATH[#sha256=DIGEST]      (http:// for loopback hosts only)
//! file:///ABSOLUTE/PATH         (or a plain path, on the command line)
//! oci-layout:///ABSOLUTE/PATH[:TAG][@sha256:DIGEST]
//! NAMESPACE:NAME[@VERSION]      (a package, as `wkg` finds it)
//! ```

mod error;
mod host;
mod id;
mod layout;
mod oci;
mod package;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::Digest;

pub use error::InvalidReference;
pub use host::is_loopback;
pub use id::{ComponentId, InvalidComponentId};
pub use layout::LayoutReference;
pub use oci::OciReference;
pub(crate) use oci::is_tag;
pub use package::PackageReference;

/// The grammar as a sentence, for hints.
pub const GRAMMAR: &str = "a component comes from `oci://host[:port]/repository[:tag][@sha256:digest]`, \
     `https://host/path[#sha256=digest]`, `file:///absolute/path`, `oci-layout:///absolute/path[:tag]`, `namespace:name[@version]` or a plain path";

/// Largest accepted reference, in bytes. Far above any real one; keeps error messages and headers
/// small.
const MAX_LENGTH: usize = 4096;

/// The reference of a component.
///
/// The text form, also in JSON, is the canonical URI.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Reference {
    /// An artifact in an OCI registry.
    Oci(OciReference),
    /// A file on a web server; plain HTTP on loopback hosts only.
    Https(Url),
    /// An absolute path without `.` and `..`.
    File(PathBuf),
    /// An artifact in an OCI image layout on this machine.
    Layout(LayoutReference),
    /// A package by its name, which stands for an artifact in the OCI registry of
    /// its namespace.
    Package(PackageReference),
}

impl Reference {
    /// Parses a reference as typed on a command line, where a text without a
    /// scheme is a package name or a path. Relative paths are resolved against `cwd`; `..` is
    /// resolved in the text, without following symbolic links.
    ///
    /// # Errors
    ///
    /// An [`InvalidReference`], whose message marks the position.
    pub fn parse(text: &str, cwd: &Path) -> Result<Self, InvalidReference> {
        check_characters(text)?;
        if scheme_end(text).is_some() {
            return text.parse();
        }
        match package::parse(text) {
            Some(package) => package.map(Reference::Package),
            None => Ok(Reference::File(tidy(&cwd.join(text)))),
        }
    }

    /// Whether both references have the same source: the same file, layout,
    /// URL without fragment, or repository, whatever the tag or digest.
    pub fn same_source(&self, other: &Reference) -> bool {
        match (self, other) {
            (Reference::Oci(a), Reference::Oci(b)) => {
                (a.registry(), a.repository()) == (b.registry(), b.repository())
            }
            (Reference::Layout(a), Reference::Layout(b)) => a.path() == b.path(),
            (Reference::Package(a), Reference::Package(b)) => a.same_package(b),
            (Reference::Https(a), Reference::Https(b)) => {
                a[..url::Position::AfterQuery] == b[..url::Position::AfterQuery]
            }
            _ => self == other,
        }
    }

    /// Returns the form for people and agents: without the query of a URL.
    pub fn shown(&self) -> Shown {
        Shown(match self {
            Reference::Https(url) if url.query().is_some() => {
                let before = &url[..url::Position::AfterPath];
                let digest = url.fragment().map(|digest| format!("#{digest}"));
                format!("{before}?…{}", digest.unwrap_or_default())
            }
            reference => reference.to_string(),
        })
    }

    /// Returns the digest in the fragment of a URL, `#sha256=…`.
    pub fn content_digest(&self) -> Option<Digest> {
        match self {
            Reference::Https(url) => url.fragment().and_then(fragment_digest),
            _ => None,
        }
    }

    /// Whether the reference has a digest, so that its content cannot change.
    pub fn is_pinned(&self) -> bool {
        match self {
            Reference::Oci(oci) => oci.digest().is_some(),
            Reference::Layout(layout) => layout.digest().is_some(),
            Reference::Https(_) | Reference::File(_) | Reference::Package(_) => {
                self.content_digest().is_some()
            }
        }
    }

    /// Returns the component id to use when the user gives none: the file name without its
    /// extension, or the last segment of the repository or of the layout's path, folded to
    /// `[a-z0-9-]`.
    ///
    /// # Errors
    ///
    /// If the name has no ASCII letter or digit.
    pub fn default_id(&self) -> Result<ComponentId, InvalidComponentId> {
        match self {
            Reference::Oci(oci) => ComponentId::fold(oci.name()),
            Reference::Https(url) => {
                let last = url.path().rsplit('/').find(|segment| !segment.is_empty());
                ComponentId::fold(stem(last.unwrap_or_default()))
            }
            Reference::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                ComponentId::fold(stem(&name))
            }
            Reference::Package(package) => ComponentId::fold(package.name()),
            Reference::Layout(layout) => {
                let name = layout.path().file_name().unwrap_or_default();
                ComponentId::fold(&name.to_string_lossy())
            }
        }
    }
}

/// A reference without the query of its URL, because the query of a signed URL
/// is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses a URI or a package name; plain paths are errors.
impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        check_characters(text)?;
        let Some(colon) = scheme_end(text) else {
            return match package::parse(text) {
                Some(package) => package.map(Reference::Package),
                None => Err(InvalidReference::new(text, 0, "a scheme is missing")),
            };
        };
        let rest = colon + 3;
        if !text[colon..].starts_with("://") {
            return Err(InvalidReference::new(
                text,
                colon + 1,
                "the scheme must be followed by `//`",
            ));
        }
        match text[..colon].to_ascii_lowercase().as_str() {
            "oci" => oci::parse(text, rest).map(Reference::Oci),
            "https" | "http" => web(text, rest).map(Reference::Https),
            "file" => file(text, rest).map(Reference::File),
            "oci-layout" => layout::parse(text, rest).map(Reference::Layout),
            _ => Err(InvalidReference::new(text, 0, "the scheme is not known")),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Oci(oci) => oci.fmt(f),
            Reference::Https(url) => url.fmt(f),
            Reference::Layout(layout) => layout.fmt(f),
            Reference::Package(package) => package.fmt(f),
            Reference::File(path) => match Url::from_file_path(path) {
                Ok(url) => url.fmt(f),
                // The parser produces only absolute paths; this is for a relative one built by
                // code.
                Err(()) => path.display().fmt(f),
            },
        }
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

/// Returns the offset of the colon after a scheme. Recognizes any `scheme://`, and the known
/// schemes even without the slashes, which are then reported as missing.
fn scheme_end(text: &str) -> Option<usize> {
    let colon = text.find(':')?;
    let scheme = &text[..colon];
    let known = ["oci", "oci-layout", "https", "http", "file"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let spelled = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (known || (spelled && text[colon..].starts_with("://"))).then_some(colon)
}

fn check_characters(text: &str) -> Result<(), InvalidReference> {
    if text.is_empty() {
        return Err(InvalidReference::new(text, 0, "it is empty"));
    }
    if text.len() > MAX_LENGTH {
        return Err(InvalidReference::new(text, text.len(), "it is too long"));
    }
    match text.find(char::is_control) {
        Some(at) => Err(InvalidReference::new(
            text,
            at,
            "control characters are not allowed",
        )),
        None => Ok(()),
    }
}

fn web(text: &str, start: usize) -> Result<Url, InvalidReference> {
    let url =
        Url::parse(text).map_err(|error| InvalidReference::new(text, start, error.to_string()))?;
    // The URL parser accepts missing and extra slashes; a reference has only
    // one spelling.
    if text[start..].starts_with('/') || text[start..].starts_with('\\') {
        return Err(InvalidReference::new(text, start, "the host is missing"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidReference::new(
            text,
            start,
            "user names and passwords are not allowed here",
        ));
    }
    if let (Some(hash), Some(fragment)) = (text.find('#'), url.fragment())
        && fragment_digest(fragment).is_none()
    {
        return Err(InvalidReference::new(
            text,
            hash,
            "only a digest may follow: `#sha256=` and 64 digits of 0-9 and a-f",
        ));
    }
    if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
        return Err(InvalidReference::new(
            text,
            0,
            "`http` is for loopback hosts only; use `https`",
        ));
    }
    Ok(url)
}

fn fragment_digest(fragment: &str) -> Option<Digest> {
    let hex = fragment.strip_prefix("sha256=")?;
    format!("sha256:{hex}").parse().ok()
}

fn file(text: &str, start: usize) -> Result<PathBuf, InvalidReference> {
    let rest = &text[start..];
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    if !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) || rest == host {
        return Err(InvalidReference::new(
            text,
            start,
            "the path must be absolute: `file:///…`",
        ));
    }
    file_path(text, start + host.len(), text.len())
}

/// Parses `text[start..end]` as an absolute, percent-encoded path.
fn file_path(text: &str, start: usize, end: usize) -> Result<PathBuf, InvalidReference> {
    let rest = &text[start..end];
    if let Some(at) = rest.find(['?', '#']) {
        let reason = "write `?` as `%3F` and `#` as `%23`";
        return Err(InvalidReference::new(text, start + at, reason));
    }
    let path = Url::parse(&format!("file://{rest}"))
        .map_err(|error| error.to_string())
        .and_then(|url| {
            url.to_file_path()
                .map_err(|()| "it does not name a file".to_owned())
        })
        .map_err(|reason| InvalidReference::new(text, start, reason))?;
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(InvalidReference::new(
            text,
            start,
            "a path cannot contain a zero byte",
        ));
    }
    // Decoding a percent-encoded separator may have produced more `.` and
    // `..`.
    Ok(tidy(&path))
}

/// Removes `.` and resolves `..` in an absolute path, without the disk.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            // `..` at the root stays at the root.
            Component::ParentDir => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

/// Returns a file name without its last extension.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}
