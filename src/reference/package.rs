//! Package names: `namespace:name[@version]`, in the syntax of [`wkg`].
//!
//! [`wkg`]: https://github.com/bytecodealliance/wasm-pkg-tools

use std::fmt;

use semver::{Version, VersionReq};

use super::InvalidReference;

/// A WIT package name with the requested versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackageReference {
    namespace: String,
    name: String,
    wanted: Wanted,
}

/// The requested version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Wanted {
    /// The highest of all versions, like `wkg get` without a version.
    Highest,
    Exactly(Version),
    /// The highest version in the range; prereleases only if the range names one.
    Range(VersionReq),
}

impl PackageReference {
    /// Returns the part before the colon, such as `acme`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the part after the colon, such as `weather`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns `namespace:name`, without the version.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.namespace, self.name)
    }

    /// Whether both name the same package, in any version.
    pub fn same_package(&self, other: &PackageReference) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }

    /// Returns the version, if exactly one is requested.
    pub fn exact_version(&self) -> Option<&Version> {
        match &self.wanted {
            Wanted::Exactly(version) => Some(version),
            Wanted::Highest | Wanted::Range(_) => None,
        }
    }

    /// Returns the highest matching version among the tags of a repository. Ignores tags that are
    /// not versions.
    pub fn choose(&self, tags: &[String]) -> Option<Version> {
        let versions = tags.iter().filter_map(|tag| Version::parse(tag).ok());
        versions.filter(|version| self.admits(version)).max()
    }

    fn admits(&self, version: &Version) -> bool {
        match &self.wanted {
            Wanted::Highest => true,
            Wanted::Exactly(wanted) => wanted == version,
            Wanted::Range(range) => range.matches(version),
        }
    }
}

impl fmt::Display for PackageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)?;
        match &self.wanted {
            Wanted::Highest => Ok(()),
            Wanted::Exactly(version) => write!(f, "@{version}"),
            Wanted::Range(range) => write!(f, "@{range}"),
        }
    }
}

/// Parses a package name; `None` if the text is not one, but may be a path.
pub(super) fn parse(text: &str) -> Option<Result<PackageReference, InvalidReference>> {
    let (full_name, version) = match text.split_once('@') {
        Some((full_name, version)) => (full_name, Some(version)),
        None => (text, None),
    };
    let (namespace, name) = full_name.split_once(':')?;
    if !is_label(namespace) || !is_label(name) {
        return None;
    }
    let wanted = match version {
        None => Ok(Wanted::Highest),
        Some(version) => wanted(version)
            .map_err(|reason| InvalidReference::new(text, text.len() - version.len(), reason)),
    };
    Some(wanted.map(|wanted| PackageReference {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        wanted,
    }))
}

fn wanted(text: &str) -> Result<Wanted, String> {
    if let Ok(version) = Version::parse(text) {
        // A tag cannot contain `+`.
        return match version.build.is_empty() {
            true => Ok(Wanted::Exactly(version)),
            false => Err("a version in a registry has no build metadata".into()),
        };
    }
    let range = VersionReq::parse(text);
    range
        .map(Wanted::Range)
        .map_err(|error| format!("this is neither a version nor a range of versions: {error}"))
}

/// Whether a text is a WIT label as `wkg` accepts it: words of lower-case letters and digits, each
/// starting with a letter, joined by hyphens.
fn is_label(text: &str) -> bool {
    text.split('-').all(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(text: &str) -> PackageReference {
        parse(text).expect("a name").expect("a valid name")
    }

    fn chosen(text: &str, tags: &[&str]) -> Option<String> {
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        package(text)
            .choose(&tags)
            .map(|version| version.to_string())
    }

    #[test]
    fn the_highest_wanted_version_is_chosen() {
        let tags = [
            "latest",
            "0.9.0",
            "1.2.0",
            "1.10.0",
            "1.9.3",
            "2.0.0",
            "2.1.0-rc.1",
            "v9.0.0",
            "1.3",
        ];
        for (text, version) in [
            ("acme:weather", Some("2.1.0-rc.1")),
            ("acme:weather@^1.2", Some("1.10.0")),
            ("acme:weather@1.2", Some("1.10.0")),
            ("acme:weather@~1.9", Some("1.9.3")),
            ("acme:weather@*", Some("2.0.0")),
            ("acme:weather@>=1, <2", Some("1.10.0")),
            ("acme:weather@>=2.1.0-rc.0", Some("2.1.0-rc.1")),
            ("acme:weather@1.2.0", Some("1.2.0")),
            ("acme:weather@=1.2", Some("1.2.0")),
            ("acme:weather@^3", None),
            ("acme:weather@1.2.1", None),
        ] {
            assert_eq!(chosen(text, &tags).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn only_labels_make_a_name() {
        for text in [
            "weather",
            "acme:",
            ":weather",
            "Acme:weather",
            "acme:Weather",
            "acme:a:b",
            "acme:weather/now",
            "a_b:c",
            "-a:b",
            "a-:b",
            "1a:b",
            "a--b:c",
            "c:\\x",
            "./a:b",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert_eq!(
            package("my-acme2:the-weather").full_name(),
            "my-acme2:the-weather"
        );
    }

    #[test]
    fn a_wrong_version_is_told_with_its_place() {
        for text in [
            "a:b@",
            "a:b@latest",
            "a:b@1.2.3+x",
            "a:b@1.2.3.4",
            "a:b@^1@2",
        ] {
            let error = parse(text).expect("a name").expect_err(text);
            assert_eq!(error.column(), 4, "{text}: {error}");
        }
    }
}
