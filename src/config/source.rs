//! Sources of components, and the patterns for them in `[agents]` and `[[trust]]`.
//!
//! Sources and patterns are compared in one normal form, so that no other spelling of a source
//! evades a pattern: hosts as the URL parser writes them, without the default port and the final
//! dot; Docker Hub as `docker.io`; and path segments as bytes, with percent escapes decoded.

use std::path::{Component, Path};

use memchr::memmem;
use url::Url;

use crate::reference::Reference;
use crate::registry::canonical_host;

const DOCKER: &str = "docker.io";

/// The part before the first segment. A pattern for HTTPS does not cover plain HTTP, which is
/// allowed for loopback hosts only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Oci,
    Https,
    Http,
    File,
    Layout,
    /// Of the name of a package, which no pattern covers: rules are about the
    /// artifact that it stands for.
    Package,
}

const SCHEMES: [(&str, Scheme); 5] = [
    ("oci://", Scheme::Oci),
    ("https://", Scheme::Https),
    ("http://", Scheme::Http),
    ("file:///", Scheme::File),
    ("oci-layout:///", Scheme::Layout),
];

impl Scheme {
    /// Splits off the scheme at the beginning of a text.
    pub fn split(text: &str) -> Option<(Scheme, &str)> {
        let mut schemes = SCHEMES.iter();
        schemes.find_map(|(name, scheme)| Some((*scheme, text.strip_prefix(name)?)))
    }

    fn has_host(self) -> bool {
        !matches!(self, Scheme::File | Scheme::Layout)
    }
}

/// The source of a component, without tag, digest and query.
#[derive(Debug, Clone)]
pub struct Source {
    scheme: Scheme,
    /// The host, if there is one, and the segments of the path.
    segments: Vec<Vec<u8>>,
    /// The second name of some repositories on Docker Hub.
    alias: Option<Vec<Vec<u8>>>,
}

impl Source {
    pub fn of(reference: &Reference) -> Self {
        match reference {
            Reference::Oci(oci) => {
                let host = host(Scheme::Oci, oci.registry());
                let host = host.unwrap_or_else(|| oci.registry().to_owned());
                let segments = |repository: &str| {
                    let segments = repository.split('/').map(str::as_bytes);
                    let host = std::iter::once(host.as_bytes());
                    host.chain(segments).map(<[u8]>::to_vec).collect()
                };
                let in_library = host == DOCKER && !oci.repository().contains('/');
                Source {
                    scheme: Scheme::Oci,
                    segments: segments(oci.repository()),
                    alias: in_library.then(|| segments(&format!("library/{}", oci.repository()))),
                }
            }
            Reference::Https(url) => Source {
                scheme: match url.scheme() {
                    "http" => Scheme::Http,
                    _ => Scheme::Https,
                },
                segments: segments_of(url),
                alias: None,
            },
            Reference::File(path) => Source::of_path(Scheme::File, path),
            Reference::Layout(layout) => Source::of_path(Scheme::Layout, layout.path()),
            Reference::Package(package) => Source {
                scheme: Scheme::Package,
                segments: vec![package.full_name().into_bytes()],
                alias: None,
            },
        }
    }

    /// The same kind of source at another path, such as one without links.
    #[must_use]
    pub fn at(&self, path: &Path) -> Self {
        Source::of_path(self.scheme, path)
    }

    fn of_path(scheme: Scheme, path: &Path) -> Self {
        let names = path.components().filter_map(|component| match component {
            Component::Prefix(prefix) => Some(prefix.as_os_str()),
            Component::Normal(name) => Some(name),
            Component::RootDir | Component::CurDir | Component::ParentDir => None,
        });
        Source {
            scheme,
            segments: names.map(|name| name.as_encoded_bytes().to_vec()).collect(),
            alias: None,
        }
    }

    pub(super) fn is_unicode(&self) -> bool {
        let mut segments = self.segments.iter();
        segments.all(|one| std::str::from_utf8(one).is_ok())
    }
}

/// The host of an address, and the names in its path. Escapes are decoded before the path is
/// split, because servers may do so.
fn segments_of(url: &Url) -> Vec<Vec<u8>> {
    let mut segments = vec![authority(url).unwrap_or_default().into_bytes()];
    for name in decode(url.path()).split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => segments.truncate((segments.len() - 1).max(1)),
            name => segments.push(name.to_vec()),
        }
    }
    segments
}

/// Normalizes `host` or `host:port`; `None` if it is not a host.
fn host(scheme: Scheme, text: &str) -> Option<String> {
    let protocol = match scheme {
        Scheme::Http => "http",
        _ => "https",
    };
    let url = Url::parse(&format!("{protocol}://{text}/")).ok()?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    let authority = authority(&url).filter(|_| is_bare)?;
    Some(match scheme {
        Scheme::Oci => canonical_host(&authority),
        _ => authority,
    })
}

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// Decodes percent escapes; an invalid escape stays as it is.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let mut byte = [first];
        let digits = tail.get(..2).filter(|_| first == b'%');
        let escaped = digits.is_some_and(|two| hex::decode_to_slice(two, &mut byte).is_ok());
        bytes.push(byte[0]);
        rest = if escaped { &tail[2..] } else { tail };
    }
    bytes
}

/// A pattern for sources. `*` stands for any bytes within a segment, `**` for
/// any number of segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    scheme: Scheme,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    AnyDepth,
    /// The texts between the `*`, as bytes; a single one if there is no `*`.
    Name(Vec<Vec<u8>>),
}

/// The texts of a segment, split at its `*`.
type Pieces = [Vec<u8>];

impl Pattern {
    /// Parses the text after the scheme; `None` if it is invalid.
    pub fn parse(scheme: Scheme, text: &str) -> Option<Self> {
        let segments = text.split('/').enumerate().map(|(at, text)| {
            let is_host = at == 0 && scheme.has_host();
            Segment::parse(text, is_host.then_some(scheme))
        });
        Some(Pattern {
            scheme,
            segments: segments.collect::<Option<_>>()?,
        })
    }

    /// A pattern that matches only this source.
    pub fn of(source: &Source) -> Self {
        let segments = source.segments.iter();
        Pattern {
            scheme: source.scheme,
            segments: segments
                .map(|name| Segment::Name(vec![name.clone()]))
                .collect(),
        }
    }

    /// The pattern extended to everything below it.
    pub fn and_below(mut self) -> Self {
        if self.segments.last() != Some(&Segment::AnyDepth) {
            self.segments.push(Segment::AnyDepth);
        }
        self
    }

    /// Whether the pattern matches the source, whose path must have no links.
    pub fn covers(&self, source: &Source) -> bool {
        let mut names = std::iter::once(&source.segments).chain(&source.alias);
        self.scheme == source.scheme && names.any(|names| self.covers_segments(names))
    }

    /// Backtracks only to the last `**`, which is sufficient.
    fn covers_segments(&self, names: &[Vec<u8>]) -> bool {
        let (mut at, mut done) = (0, 0);
        let mut last: Option<(usize, usize)> = None;
        while let Some(name) = names.get(done) {
            match self.segments.get(at) {
                Some(Segment::AnyDepth) => {
                    at += 1;
                    last = Some((at, done));
                }
                Some(Segment::Name(pieces)) if matches(pieces, name) => {
                    at += 1;
                    done += 1;
                }
                _ => {
                    let Some((after, from)) = last else {
                        return false;
                    };
                    (at, done) = (after, from + 1);
                    last = Some((after, done));
                }
            }
        }
        let mut rest = self.segments[at..].iter();
        rest.all(|segment| *segment == Segment::AnyDepth)
    }

    /// Whether this pattern matches everything that the other matches. Both must end in `**` and
    /// have no other `**`.
    pub fn includes(&self, other: &Pattern) -> bool {
        self.names().count() <= other.names().count()
            && self.is_met_by(other, |own, theirs| match theirs {
                [_] => own == theirs || own.len() > 1 && matches(own, &theirs[0]),
                [_, end] => own.len() > 1 && end.ends_with(&own[own.len() - 1]),
                _ => false,
            })
    }

    /// Whether a source may be matched by both.
    pub fn meets(&self, other: &Pattern) -> bool {
        self.is_met_by(other, |own, theirs| match (own, theirs) {
            ([own], [theirs]) => own == theirs,
            ([name], pieces) | (pieces, [name]) => matches(pieces, name),
            ([.., one], [.., another]) => one.ends_with(another) || another.ends_with(one),
            _ => false,
        })
    }

    /// Compares the schemes and the segments that both patterns have.
    fn is_met_by(&self, other: &Pattern, alike: fn(&Pieces, &Pieces) -> bool) -> bool {
        let mut both = self.names().zip(other.names());
        self.scheme == other.scheme && both.all(|(own, theirs)| alike(own, theirs))
    }

    fn names(&self) -> impl Iterator<Item = &Pieces> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::AnyDepth => None,
            Segment::Name(pieces) => Some(&**pieces),
        })
    }

    /// The number of segments without `*`, and the number of bytes in all segments' texts.
    pub fn specificity(&self) -> (usize, usize) {
        let literal = self.names().filter(|pieces| pieces.len() == 1).count();
        (literal, self.names().flatten().map(Vec::len).sum())
    }
}

impl Segment {
    /// Parses a segment; `host_of` is the scheme if the segment is a host.
    fn parse(text: &str, host_of: Option<Scheme>) -> Option<Self> {
        if text == "**" {
            return Some(Segment::AnyDepth);
        }
        if text.is_empty() || text.contains(['?', '#']) {
            return None;
        }
        let pieces: Vec<Vec<u8>> = match host_of {
            Some(scheme) => host_pattern(scheme, text)?
                .split('*')
                .map(|piece| piece.as_bytes().to_vec())
                .collect(),
            None => text.split('*').map(decode).collect(),
        };
        let is_path = pieces.iter().flatten().any(|byte| matches!(byte, b'/' | 0));
        let is_dots = matches!(&*pieces, [name] if matches!(&**name, b"." | b".."));
        (!is_path && !is_dots).then_some(Segment::Name(pieces))
    }
}

/// Normalizes the host of a pattern if it has no `*`.
fn host_pattern(scheme: Scheme, text: &str) -> Option<String> {
    if !text.contains('*') {
        return host(scheme, text);
    }
    let default_port = match scheme {
        Scheme::Http => ":80",
        _ => ":443",
    };
    let text = text.strip_suffix(default_port).unwrap_or(text);
    let is_plain = text.is_ascii() && !text.contains(['%', '@', '\\']);
    is_plain.then(|| text.to_ascii_lowercase())
}

/// Matches one segment. The first and the last piece must be at its ends; those between are
/// searched from the left.
fn matches(pieces: &Pieces, name: &[u8]) -> bool {
    let [first, between @ .., last] = pieces else {
        return matches!(pieces, [only] if only == name);
    };
    let inner = name.strip_prefix(&**first);
    let inner = inner.and_then(|rest| rest.strip_suffix(&**last));
    let found = inner.and_then(|inner| {
        between.iter().try_fold(inner, |rest, piece| {
            let at = memmem::find(rest, piece)?;
            Some(&rest[at + piece.len()..])
        })
    });
    found.is_some()
}
