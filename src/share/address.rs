//! Parses the paths under `/v2/`. No part of them ever becomes a path on disk: names
//! are only compared.

use url::form_urlencoded;

use super::content::ManifestName;
use super::fault::Fault;
use super::names::Repository;
use crate::digest::Digest;

const MAX_NAME: usize = 512;
const MAX_TAG: usize = 128;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tags(Repository, TagPage),
    Manifest(Repository, ManifestName),
    Blob(Repository, Digest),
}

/// The requested part of a tag list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TagPage {
    /// The most tags to return.
    pub n: Option<usize>,
    /// Return the tags after this one.
    pub last: Option<String>,
}

impl Address {
    /// Parses the unescaped path after `/v2/`, and the query.
    pub fn read(path: &str, query: &str) -> Result<Self, Fault> {
        let value = |key: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(name, _)| name == key);
            found.map(|(_, value)| value.into_owned())
        };
        let repository = |name: &str| match is_name(name) {
            true => Ok(Repository {
                registry: value("ns"),
                name: name.to_owned(),
            }),
            false => Err(Fault::Name),
        };
        let mut parts = path.rsplitn(3, '/');
        let (last, kind, name) = (parts.next(), parts.next(), parts.next());
        let (Some(last), Some(kind), Some(name)) = (last, kind, name) else {
            return Err(Fault::Endpoint);
        };
        match (kind, last) {
            ("tags", "list") => {
                let page = TagPage {
                    n: value("n").and_then(|n| n.parse().ok()),
                    last: value("last"),
                };
                Ok(Address::Tags(repository(name)?, page))
            }
            ("manifests", text) => {
                let repository = repository(name)?;
                Ok(Address::Manifest(repository, manifest_name(text)?))
            }
            ("blobs", digest) => {
                let repository = repository(name)?;
                let digest = digest.parse().map_err(|_| Fault::Digest)?;
                Ok(Address::Blob(repository, digest))
            }
            _ => Err(Fault::Endpoint),
        }
    }
}

/// Whether this is a repository name; its first segment may be a registry with its
/// port.
fn is_name(name: &str) -> bool {
    let is_inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_segment = |(index, segment): (usize, &str)| {
        let bytes = segment.as_bytes();
        bytes.first().is_some_and(|first| is_inner(*first))
            && bytes.last().is_some_and(|last| is_inner(*last))
            && bytes
                .iter()
                .all(|c| is_inner(*c) || b"._-".contains(c) || (index == 0 && *c == b':'))
    };
    name.len() <= MAX_NAME && name.split('/').enumerate().all(is_segment)
}

/// A digest, or a tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
fn manifest_name(text: &str) -> Result<ManifestName, Fault> {
    if text.contains(':') {
        let digest = text.parse().map_err(|_| Fault::Digest)?;
        return Ok(ManifestName::Digest(digest));
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_tag = text.len() <= MAX_TAG
        && text.starts_with(is_word)
        && text.chars().all(|c| is_word(c) || c == '.' || c == '-');
    match is_tag {
        true => Ok(ManifestName::Tag(text.to_owned())),
        false => Err(Fault::Tag),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repository(registry: Option<&str>, name: &str) -> Repository {
        Repository {
            registry: registry.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn every_endpoint_is_understood() {
        let digest = Digest::of(b"x");
        assert_eq!(
            Address::read("acme/a/manifests/v1.0", "ns=reg.lan%3A5000").unwrap(),
            Address::Manifest(
                repository(Some("reg.lan:5000"), "acme/a"),
                ManifestName::Tag("v1.0".into())
            )
        );
        assert_eq!(
            Address::read(&format!("a/manifests/{digest}"), "").unwrap(),
            Address::Manifest(repository(None, "a"), ManifestName::Digest(digest))
        );
        assert_eq!(
            Address::read(&format!("reg.lan:5000/a/blobs/{digest}"), "").unwrap(),
            Address::Blob(repository(None, "reg.lan:5000/a"), digest)
        );
        let page = TagPage {
            n: Some(2),
            last: Some("v1".into()),
        };
        assert_eq!(
            Address::read("blobs/tags/list", "n=2&last=v1").unwrap(),
            Address::Tags(repository(None, "blobs"), page)
        );
    }

    #[test]
    fn bad_names_are_told_apart() {
        let digest = Digest::of(b"x");
        for (path, fault) in [
            (format!("../../etc/passwd/blobs/{digest}"), Fault::Name),
            (format!("a/../b/blobs/{digest}"), Fault::Name),
            (format!("/a/blobs/{digest}"), Fault::Name),
            (format!("A/blobs/{digest}"), Fault::Name),
            (format!("a/b:1/blobs/{digest}"), Fault::Name),
            (format!("{}/blobs/{digest}", "a".repeat(600)), Fault::Name),
            ("a/blobs/sha256:../../x".into(), Fault::Endpoint),
            ("a/blobs/sha256:00".into(), Fault::Digest),
            ("a/blobs/v1".into(), Fault::Digest),
            ("a/manifests/sha512:00".into(), Fault::Digest),
            ("a/manifests/-v".into(), Fault::Tag),
            ("a/manifests/".into(), Fault::Tag),
            ("a/manifests/é".into(), Fault::Tag),
            ("a/blobs/uploads/".into(), Fault::Endpoint),
            ("_catalog".into(), Fault::Endpoint),
            (format!("a/referrers/{digest}"), Fault::Endpoint),
        ] {
            assert_eq!(Address::read(&path, "").unwrap_err(), fault, "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_read_leads_anywhere(path in "[a-z./%:_ \\-]{0,60}", query in ".{0,40}") {
            if let Ok(Address::Tags(found, _) | Address::Manifest(found, _)) = Address::read(&path, &query) {
                prop_assert!(found.name.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
            }
        }
    }
}
