//! Storage URIs: `fs:///absolute/path/**` and
//! `fs://below/the/working/directory/*`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::pattern::{Pattern, RESERVED, SHELL, Segment};
use crate::policy::error::InvalidPermission;

/// Largest accepted URI, in bytes.
const LONGEST: usize = 4096;
/// Most segments of a path. Leaves room in a [`Pattern`] for the working directory.
const DEEPEST: usize = 64;

/// The directory that a path is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// `fs:///…`: the root of the file system.
    Root,
    /// `fs://…`: the server's working directory.
    WorkingDirectory,
}

/// A path pattern for files and directories of the host.
///
/// `*` matches any characters of one name, `**` any number of names, including
/// none. Other characters match themselves; `%` begins an escape of two
/// hexadecimal digits, such as `%2A` for a star.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorageUri {
    pub(super) base: Base,
    pub(super) pattern: Pattern,
}

impl StorageUri {
    pub fn base(&self) -> Base {
        self.base
    }

    /// Whether the URI has no wildcard.
    pub fn is_literal(&self) -> bool {
        self.pattern.is_literal()
    }

    /// Returns the path before the first wildcard; `None` for a relative URI.
    pub fn absolute_start(&self) -> Option<PathBuf> {
        let segments = self.pattern.segments().iter();
        let names = segments.map_while(Segment::literal);
        let root = (self.base == Base::Root).then(|| PathBuf::from("/"))?;
        Some(names.fold(root, |path, name| path.join(name)))
    }

    /// Whether `self` matches every path that `other` matches. Conservative:
    /// may return `false` although it does, never `true` although it does not.
    pub fn covers(&self, other: &StorageUri) -> bool {
        let everything = self.base == Base::Root && self.pattern.segments() == [Segment::AnyDepth];
        everything || self.base == other.base && self.pattern.covers(&other.pattern)
    }
}

impl FromStr for StorageUri {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: String| InvalidPermission::new("a storage URI", text, reason);
        if text.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let Some(path) = text.strip_prefix("fs://") else {
            return Err(wrong(
                "it must begin with `fs://`, as in `fs:///data/**`".to_owned(),
            ));
        };
        let (base, path) = match path.strip_prefix('/') {
            Some(path) => (Base::Root, path),
            None => (Base::WorkingDirectory, path),
        };
        let mut segments = Vec::new();
        if !(path.is_empty() && base == Base::Root) {
            for segment in path.split('/') {
                let segment = parse_segment(segment).map_err(wrong)?;
                if segment != Segment::AnyDepth || segments.last() != Some(&segment) {
                    segments.push(segment);
                }
            }
        }
        if segments.len() > DEEPEST {
            return Err(wrong(format!("it has more than {DEEPEST} segments")));
        }
        match Pattern::new(segments) {
            Some(pattern) => Ok(StorageUri { base, pattern }),
            None => Err(wrong("it has too many segments".to_owned())),
        }
    }
}

fn parse_segment(text: &str) -> Result<Segment, String> {
    if text.is_empty() {
        return Err("a name is missing between slashes or at the end".to_owned());
    }
    if text == "**" {
        return Ok(Segment::AnyDepth);
    }
    if text.contains("**") {
        return Err("`**` must be a whole segment between slashes".to_owned());
    }
    // Other glob syntax and shell expansion are not supported.
    let shell = text.chars().next().filter(|c| SHELL.contains(c));
    if let Some(c) = shell.or(text.chars().find(|c| RESERVED.contains(c))) {
        let escape = u32::from(c);
        return Err(format!(
            "`{c}` is not supported here; write `%{escape:02X}` for the character itself"
        ));
    }
    let pieces: Vec<String> = text.split('*').map(decode).collect::<Result<_, _>>()?;
    match pieces.as_slice() {
        [name] if name == "." || name == ".." => {
            Err(format!("`{name}` is not allowed: write the full path"))
        }
        _ => Ok(Segment::Name(pieces)),
    }
}

/// Resolves percent escapes.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| {
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            Some(digit(0)? * 16 + digit(1)?)
        });
        let Some(byte) = digits.and_then(|byte| u8::try_from(byte).ok()) else {
            return Err(
                "`%` must be followed by two hexadecimal digits; `%25` is the character itself"
                    .to_owned(),
            );
        };
        bytes.push(byte);
        rest = &rest[2..];
    }
    if bytes.contains(&0) || bytes.contains(&b'/') {
        return Err("a name cannot contain a slash or a null byte".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "the escapes are not UTF-8".to_owned())
}

impl fmt::Display for StorageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = match self.base {
            Base::Root => "/",
            Base::WorkingDirectory => "",
        };
        write!(f, "fs://{slash}{}", self.pattern)
    }
}
