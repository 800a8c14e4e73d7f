//! References to artifacts in OCI registries.
//!
//! Repositories and tags follow the [distribution specification][spec].
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use super::InvalidReference;
use crate::digest::Digest;

const DOCKER: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
const MAX_REPOSITORY: usize = 255;
const MAX_TAG: usize = 128;

/// `registry/repository[:tag][@digest]`; has a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OciReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl OciReference {
    /// Returns `host` or `host:port`, in lower case.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the registry without its port; IPv6 in brackets.
    pub fn host(&self) -> &str {
        match self.registry.rsplit_once(':') {
            // The last colon of `[::1]` is part of the address.
            Some((host, port)) if !port.ends_with(']') => host,
            _ => &self.registry,
        }
    }

    /// Returns the repository within the registry, such as `acme/weather`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the repository in requests to the registry: Docker Hub stores repositories without
    /// an owner under `library`.
    pub fn hosted_repository(&self) -> Cow<'_, str> {
        if self.registry == DOCKER && !self.repository.contains('/') {
            format!("library/{}", self.repository).into()
        } else {
            self.repository.as_str().into()
        }
    }

    /// Returns the last segment of the repository.
    pub fn name(&self) -> &str {
        self.repository
            .rsplit_once('/')
            .map_or(&self.repository, |(_, name)| name)
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

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Parses the rest of `text` from byte `start`, behind `oci://`.
pub(super) fn parse(text: &str, start: usize) -> Result<OciReference, InvalidReference> {
    let invalid = |at: usize, reason: &str| InvalidReference::new(text, at, reason);
    let Some(slash) = text[start..].find('/').map(|at| start + at) else {
        return Err(invalid(
            text.len(),
            "the repository is missing: `registry/repository`",
        ));
    };
    let registry = registry(text, start, slash)?;

    let at_sign = text[slash..].find('@').map(|at| slash + at);
    let name_end = at_sign.unwrap_or(text.len());
    let colon = text[slash..name_end].find(':').map(|at| slash + at);
    let repository = repository(text, slash + 1, colon.unwrap_or(name_end))?;
    let tag = colon
        .map(|colon| tag(text, colon + 1, name_end))
        .transpose()?;
    let digest = at_sign
        .map(|at| {
            text[at + 1..]
                .parse::<Digest>()
                .map_err(|error| InvalidReference::new(text, at + 1, error.to_string()))
        })
        .transpose()?;

    let tag = match (tag, digest) {
        (None, None) => Some(DEFAULT_TAG.to_owned()),
        (tag, _) => tag,
    };
    Ok(OciReference {
        registry,
        repository,
        tag,
        digest,
    })
}

fn registry(text: &str, start: usize, end: usize) -> Result<String, InvalidReference> {
    let registry = &text[start..end];
    let invalid = |at: usize, reason: &str| InvalidReference::new(text, at, reason);
    if registry.is_empty() {
        return Err(invalid(start, "the registry is missing"));
    }
    if let Some(at) = registry.find('@') {
        return Err(invalid(start + at, "user names are not allowed here"));
    }
    let (host, host_end) = if registry.starts_with('[') {
        let close = registry
            .find(']')
            .ok_or_else(|| invalid(start, "`[` has no `]`"))?;
        let address: Ipv6Addr = registry[1..close]
            .parse()
            .map_err(|_| invalid(start + 1, "this is not an IPv6 address"))?;
        (format!("[{address}]"), close + 1)
    } else {
        let host_end = registry.find(':').unwrap_or(registry.len());
        domain(text, start, start + host_end)?;
        (registry[..host_end].to_ascii_lowercase(), host_end)
    };
    match &registry[host_end..] {
        "" => Ok(host),
        port => match port.strip_prefix(':').map(str::parse::<u16>) {
            // `parse` accepts a sign.
            Some(Ok(number)) if number > 0 && !port.contains('+') => Ok(format!("{host}:{number}")),
            _ => Err(invalid(
                start + host_end,
                "the port must be `:1` to `:65535`",
            )),
        },
    }
}

fn domain(text: &str, start: usize, end: usize) -> Result<(), InvalidReference> {
    let mut at = start;
    for label in text[start..end].split('.') {
        let bad = label.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        if let Some(bad) = bad {
            return Err(InvalidReference::new(
                text,
                at + bad,
                "a host can contain only letters, digits, `-` and `.`",
            ));
        }
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            return Err(InvalidReference::new(
                text,
                at,
                "this is not a part of a host name",
            ));
        }
        at += label.len() + 1;
    }
    Ok(())
}

fn repository(text: &str, start: usize, end: usize) -> Result<String, InvalidReference> {
    let invalid = |at: usize, reason: &str| InvalidReference::new(text, at, reason);
    let repository = &text[start..end];
    if repository.len() > MAX_REPOSITORY {
        return Err(invalid(
            start + MAX_REPOSITORY,
            "a repository has at most 255 characters",
        ));
    }
    let mut at = start;
    for segment in repository.split('/') {
        if segment.is_empty() {
            return Err(invalid(at, "a segment of the repository is empty"));
        }
        if let Some(bad) = segment.find(|c: char| c.is_ascii_uppercase()) {
            return Err(invalid(at + bad, "a repository must be in lower case"));
        }
        if let Some(bad) = misplaced(segment) {
            let reason = "a segment is letters and digits, joined by `.`, `_`, `__` or dashes";
            return Err(invalid(at + bad, reason));
        }
        at += segment.len() + 1;
    }
    Ok(repository.to_owned())
}

/// Returns the offset of the first character that breaks `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn misplaced(segment: &str) -> Option<usize> {
    let mut separator = 0;
    for (at, c) in segment.char_indices() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            let run = &segment[separator..at];
            let dashes = run.bytes().all(|b| b == b'-');
            if !(dashes && at > 0 || run.is_empty() || matches!(run, "." | "_" | "__")) {
                return Some(separator);
            }
            separator = at + c.len_utf8();
        } else if at == 0 || !matches!(c, '.' | '_' | '-') {
            return Some(at);
        }
    }
    (separator != segment.len()).then_some(separator)
}

/// Whether a text is a valid tag.
pub(crate) fn is_tag(text: &str) -> bool {
    tag(text, 0, text.len()).is_ok()
}

pub(super) fn tag(text: &str, start: usize, end: usize) -> Result<String, InvalidReference> {
    let tag = &text[start..end];
    let wrong = tag
        .char_indices()
        .find(|&(at, c)| {
            !(c.is_ascii_alphanumeric() || c == '_' || (at > 0 && matches!(c, '.' | '-')))
        })
        .map(|(at, _)| at);
    if tag.is_empty() {
        return Err(InvalidReference::new(text, start, "the tag is empty"));
    }
    if let Some(at) = wrong {
        let reason =
            "a tag can contain letters, digits, `_`, and after the first character `.` and `-`";
        return Err(InvalidReference::new(text, start + at, reason));
    }
    if tag.len() > MAX_TAG {
        return Err(InvalidReference::new(
            text,
            start + MAX_TAG,
            "a tag has at most 128 characters",
        ));
    }
    Ok(tag.to_owned())
}
