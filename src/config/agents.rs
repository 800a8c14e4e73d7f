//! The `[agents]` section: what agents may do without the operator.

use serde::Deserialize;

use crate::reference::Reference;

use super::source::{Pattern, Scheme, Source};

/// Permissions of agents over MCP.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentsConfig {
    /// Whether to offer the built-in tool `call-tool`, which calls any
    /// component tool by name.
    pub call_tool: bool,
    /// Sources from which agents may load components. `None` means any registry
    /// and URL, and also files if the server is reachable from this machine
    /// only.
    pub sources: Option<Vec<SourcePattern>>,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        AgentsConfig {
            call_tool: true,
            sources: None,
        }
    }
}

/// A pattern for sources of components, such as `oci://ghcr.io/acme/*`. `*`
/// matches anything within one path segment, `**` any number of segments. Tags,
/// digests and queries are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SourcePattern(Pattern);

/// A text that is not a valid source pattern.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a source pattern: a pattern begins with one of `oci://`, `https://`, `http://`, \
     `file:///` and `oci-layout:///`, and has neither empty segments, nor `.` or `..`, nor a query \
     or fragment"
)]
pub struct InvalidSourcePattern(String);

impl TryFrom<String> for SourcePattern {
    type Error = InvalidSourcePattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let pattern = Scheme::split(&text).and_then(|(scheme, path)| Pattern::parse(scheme, path));
        match pattern {
            Some(pattern) => Ok(SourcePattern(pattern)),
            None => Err(InvalidSourcePattern(text)),
        }
    }
}

impl SourcePattern {
    /// Whether the pattern matches the reference. The path of a file must be
    /// canonical. A name that is not Unicode is matched by no pattern.
    pub fn covers(&self, reference: &Reference) -> bool {
        let source = Source::of(reference);
        source.is_unicode() && self.0.covers(&source)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn covered(pattern: &str, reference: &str) -> bool {
        let pattern = SourcePattern::try_from(pattern.to_owned()).unwrap();
        pattern.covers(&Reference::parse(reference, Path::new("/")).unwrap())
    }

    #[test]
    fn a_pattern_covers_what_it_names_and_nothing_else() {
        for (pattern, reference, is_covered) in [
            ("oci://ghcr.io/acme/*", "oci://ghcr.io/acme/weather:1", true),
            ("oci://ghcr.io/acme/*", "oci://ghcr.io/acme/a/b:1", false),
            ("oci://ghcr.io/acme/**", "oci://ghcr.io/acme/a/b:1", true),
            ("oci://ghcr.io/acme/*", "oci://ghcr.io/acme-evil/a:1", false),
            ("oci://ghcr.io/acme/*", "oci://ghcr.io.evil/acme/a:1", false),
            ("oci://*.acme.io/**", "oci://reg.acme.io/a:1", true),
            ("oci://*.acme.io/**", "oci://acme.io.evil/a:1", false),
            ("https://a.io/x/*.wasm", "https://a.io/x/y.wasm?z=1", true),
            ("https://a.io/x/*.wasm", "https://a.io:444/x/y.wasm", false),
            ("https://a.io/**", "https://b.io/x.wasm", false),
            ("file:///srv/c/**", "file:///srv/c/a/b.wasm", true),
            ("file:///srv/c/**", "file:///srv/d/b.wasm", false),
            ("file:///srv/c/**", "oci://srv/c/b:1", false),
            ("file:///srv/a%20b/*", "file:///srv/a%20b/c.wasm", true),
            ("file:///srv/a b/*", "file:///srv/a%20b/c.wasm", true),
            ("file:///**/c/*.wasm", "file:///c/b.wasm", true),
            ("file:///**/c/*.wasm", "file:///a/b/c/d.wasm", true),
            ("file:///**/c/*.wasm", "file:///a/b/c/d/e.wasm", false),
            ("https://a.io/*b*c", "https://a.io/abbcc", true),
            ("https://a.io/*b*c", "https://a.io/acb", false),
            ("https://a.io/a*a", "https://a.io/a", false),
            ("https://a.io/x/**", "https://a.io/x/..%2Fy.wasm", false),
            ("https://localhost/**", "http://localhost/x.wasm", false),
            ("http://localhost/**", "http://localhost/x.wasm", true),
        ] {
            assert_eq!(
                covered(pattern, reference),
                is_covered,
                "{pattern} {reference}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "ghcr.io/acme",
            "ftp://a/b",
            "oci://",
            "oci://a//b",
            "file:///a/../b",
            "https://a/b?c",
            "file://a/b",
        ] {
            SourcePattern::try_from(text.to_owned()).expect_err(text);
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_is_not_unicode_is_covered_by_no_pattern() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff/x.wasm"));
        let reference = Reference::File(path.to_owned());
        for pattern in ["file:///**", "file:///*", "file:///srv/%FF/*"] {
            let pattern = SourcePattern::try_from(pattern.to_owned()).unwrap();
            assert!(!pattern.covers(&reference));
        }
    }
}
