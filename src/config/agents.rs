//! The `[agents]` section: what agents may do without the operator.

use serde::Deserialize;

use crate::reference::Reference;

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
pub struct SourcePattern {
    /// Including the separator: `oci://`, `file:///`.
    scheme: String,
    segments: Vec<String>,
}

/// A text that is not a valid source pattern.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a source pattern: a pattern begins with one of `oci://`, `https://`, `file:///` and \
     `oci-layout:///`, and has neither empty segments, nor `.` or `..`, nor a query or fragment"
)]
pub struct InvalidSourcePattern(String);

const SCHEMES: [&str; 4] = ["oci://", "https://", "file:///", "oci-layout:///"];

impl TryFrom<String> for SourcePattern {
    type Error = InvalidSourcePattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let scheme = SCHEMES.iter().find(|scheme| text.starts_with(*scheme));
        let segments = |scheme: &str| -> Vec<String> {
            text[scheme.len()..].split('/').map(str::to_owned).collect()
        };
        let bad = |segment: &String| {
            ["", ".", ".."].contains(&segment.as_str()) || segment.contains(['?', '#'])
        };
        match scheme {
            Some(scheme) if !segments(scheme).iter().any(bad) => Ok(SourcePattern {
                scheme: (*scheme).to_owned(),
                segments: segments(scheme),
            }),
            _ => Err(InvalidSourcePattern(text)),
        }
    }
}

impl SourcePattern {
    /// Whether the pattern matches the reference. The path of a file must be
    /// canonical.
    pub fn covers(&self, reference: &Reference) -> bool {
        let (scheme, text) = match reference {
            Reference::Oci(oci) => ("oci://", format!("{}/{}", oci.registry(), oci.repository())),
            Reference::Https(url) if url.username().is_empty() && url.password().is_none() => {
                let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
                ("https://", format!("{authority}{}", url.path()))
            }
            Reference::Https(_) => return false,
            Reference::File(path) => match path_text(path) {
                Some(text) => ("file:///", text),
                None => return false,
            },
            Reference::Layout(layout) => match path_text(layout.path()) {
                Some(text) => ("oci-layout:///", text),
                None => return false,
            },
        };
        let segments: Vec<&str> = text.split('/').collect();
        self.scheme == scheme && covers(&self.segments, &segments)
    }
}

/// The path after its first slash; none where it is not Unicode, since no
/// pattern names such a path.
fn path_text(path: &std::path::Path) -> Option<String> {
    let text = path.to_str()?;
    Some(text.strip_prefix('/').unwrap_or(text).to_owned())
}

fn covers(pattern: &[String], segments: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return segments.is_empty();
    };
    if first == "**" {
        return (0..=segments.len()).any(|skipped| covers(rest, &segments[skipped..]));
    }
    segments
        .split_first()
        .is_some_and(|(segment, others)| covers_segment(first, segment) && covers(rest, others))
}

/// Matches one segment; `*` matches any characters.
fn covers_segment(pattern: &str, segment: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == segment;
    };
    let Some(rest) = segment.strip_prefix(before) else {
        return false;
    };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| covers_segment(after, &rest[at..]))
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
        for pattern in ["file:///**", "file:///*"] {
            let pattern = SourcePattern::try_from(pattern.to_owned()).unwrap();
            assert!(!pattern.covers(&reference));
        }
    }
}
