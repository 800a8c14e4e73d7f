//! Tool names.
//!
//! MCP clients accept `[A-Za-z0-9_-]`, and most of them at most 64 characters.
//! WIT names are kebab-case, so `_` is free to join the parts:
//! `wasi:clocks/wall-clock@0.2.0#now` becomes `wasi_clocks_wall-clock_now`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::ExportPath;
use crate::digest::Digest;

/// Most characters of a tool name within its component.
pub const MAX_LENGTH: usize = 64;

/// Most characters of an offered tool name, from 16 to 64. Clients add a prefix such as
/// `mcp__wassette__` and limit the total to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub struct NameLength(usize);

/// A length outside of 16 to 64.
#[derive(Debug, thiserror::Error)]
#[error("names of tools can have from 16 to 64 characters, not {0}")]
pub struct InvalidNameLength(usize);

impl NameLength {
    pub fn characters(self) -> usize {
        self.0
    }
}

impl Default for NameLength {
    fn default() -> Self {
        NameLength(48)
    }
}

impl TryFrom<usize> for NameLength {
    type Error = InvalidNameLength;

    fn try_from(length: usize) -> Result<Self, Self::Error> {
        match length {
            16..=MAX_LENGTH => Ok(NameLength(length)),
            _ => Err(InvalidNameLength(length)),
        }
    }
}

/// Most characters of a property name.
const MAX_PROPERTY: usize = 64;

/// Makes distinct names for the functions of one component, in the same order.
///
/// Names have no version by default. If two are equal, both get the version
/// (`alpha_run` becomes `alpha_1-0-0_run` and `alpha_2-0-0_run`). Names that
/// are then too long or still equal end in a short hash of the full path. The
/// names depend only on the set of paths.
pub fn tool_names(exports: &[ExportPath]) -> Vec<String> {
    let plain: Vec<String> = exports
        .iter()
        .map(|path| fold(path, Version::Left))
        .collect();
    let counts = count(&plain);
    let versioned: Vec<String> = plain
        .into_iter()
        .zip(exports)
        .map(|(name, path)| match counts[&name] {
            1 => name,
            _ => fold(path, Version::Kept),
        })
        .collect();
    let counts = count(&versioned);
    let mut taken = HashSet::new();
    versioned
        .into_iter()
        .zip(exports)
        .map(|(name, path)| {
            let name = match counts[&name] {
                1 if name.len() <= MAX_LENGTH => name,
                _ => hashed(&name, path, &taken),
            };
            taken.insert(name.clone());
            name
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Version {
    Left,
    Kept,
}

fn count(names: &[String]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.clone()).or_default() += 1;
    }
    counts
}

fn fold(path: &ExportPath, version: Version) -> String {
    let Some(interface) = &path.interface else {
        return allowed(&path.function);
    };
    let (base, suffix) = match interface.split_once('@') {
        Some((base, version)) => (base, Some(version)),
        None => (interface.as_str(), None),
    };
    let mut name = allowed(base);
    if let (Version::Kept, Some(suffix)) = (version, suffix) {
        name.push('_');
        name.extend(suffix.chars().map(|c| match c {
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        }));
    }
    name.push('_');
    name.push_str(&allowed(&path.function));
    name
}

fn allowed(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || c == '-' => c,
            _ => '_',
        })
        .collect()
}

/// Converts any name to allowed characters and at most this length. The end of
/// a longer name is replaced by a hash of the whole.
pub fn shorten_name(name: &str, NameLength(length): NameLength) -> String {
    shorten_to(name, length)
}

/// Converts a stored name to allowed characters and at most [`MAX_LENGTH`].
pub(super) fn fit_stored_name(name: &str) -> String {
    shorten_to(name, MAX_LENGTH)
}

fn shorten_to(name: &str, length: usize) -> String {
    let name = allowed(name);
    if name.len() <= length {
        return name;
    }
    let hex = Digest::of(name.as_bytes()).hex();
    format!("{}_{}", &name[..length - 9], &hex[..8])
}

/// Returns the name of a property in schemas, arguments and results. Providers reject a whole list
/// of tools because of one property name with more than 64 characters, or with other characters.
/// Such a name is converted, and ends in a hash of the original.
pub fn property_name(name: &str) -> Cow<'_, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=MAX_PROPERTY).contains(&name.len()) && name.chars().all(allowed) {
        return Cow::Borrowed(name);
    }
    let kept = name.chars().map(|c| if allowed(c) { c } else { '_' });
    let head: String = kept.take(MAX_PROPERTY - 9).collect();
    let hex = Digest::of(name.as_bytes()).hex();
    Cow::Owned(format!("{head}_{}", &hex[..8]))
}

/// Appends a hash of the path. Eight digits suffice unless someone constructs a
/// collision.
fn hashed(name: &str, path: &ExportPath, taken: &HashSet<String>) -> String {
    let hex = Digest::of(path.to_string().as_bytes()).hex();
    let mut digits = 8;
    loop {
        // The name is ASCII, so any byte offset is a character boundary.
        let head = &name[..name.len().min(MAX_LENGTH - digits - 1)];
        let candidate = format!("{}_{}", head.trim_end_matches(['-', '_']), &hex[..digits]);
        if digits >= 56 || !taken.contains(&candidate) {
            return candidate;
        }
        digits += 8;
    }
}
