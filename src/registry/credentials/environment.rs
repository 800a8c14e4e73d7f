//! The variable `WASSETTE_REGISTRY_AUTH`: entries of the form
//! `host[:port]:user:secret`, separated by commas. Text after a comma that is
//! not such an entry is part of the preceding password.

use super::{Credential, Secret, Wanted, canonical_host};

pub(super) const VARIABLE: &str = "WASSETTE_REGISTRY_AUTH";

/// One entry of the variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub registry: String,
    pub username: &'a str,
    pub secret: Secret,
}

/// The credential for a registry. Warnings name a malformed entry only by its
/// number, because all of its text may be secret.
pub(super) fn find(text: &Secret, wanted: Wanted<'_>) -> Option<Credential> {
    let registry = canonical_host(wanted.registry);
    for (number, piece) in entries(text.expose()).into_iter().enumerate() {
        let number = number + 1;
        let Some(entry) = piece.entry else {
            tracing::warn!(
                "entry {number} of {VARIABLE} is not of the form `host[:port]:user:secret`"
            );
            continue;
        };
        if canonical_host(&entry.registry) != registry {
            continue;
        }
        if piece.has_comma {
            tracing::warn!(
                "what follows the comma in entry {number} of {VARIABLE} is taken for the rest of \
                 its password: it is not of the form `host[:port]:user:secret`"
            );
        }
        return Some(Credential::Password {
            username: entry.username.to_owned(),
            secret: entry.secret,
        });
    }
    None
}

/// The part of the variable for one registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// `None` if it is malformed.
    pub entry: Option<Entry<'a>>,
    /// Whether its password contains a comma.
    pub has_comma: bool,
}

/// The entries in their order.
pub(super) fn entries(text: &str) -> Vec<Piece<'_>> {
    let mut found: Vec<(usize, usize, bool)> = Vec::new();
    let mut start = 0;
    for part in text.split(',') {
        let end = start + part.len();
        let is_entry = entry(part.trim()).is_some();
        match found.last_mut() {
            _ if part.trim().is_empty() => {}
            Some(last) if !is_entry && entry(text[last.0..last.1].trim()).is_some() => {
                (last.1, last.2) = (end, true);
            }
            _ => found.push((start, end, false)),
        }
        start = end + 1;
    }
    let piece = |(start, end, has_comma): (usize, usize, bool)| Piece {
        entry: entry(text[start..end].trim()),
        has_comma,
    };
    found.into_iter().map(piece).collect()
}

fn entry(text: &str) -> Option<Entry<'_>> {
    let (host, rest) = host(text)?;
    let (first, rest) = rest.split_once(':')?;
    // If the second field has only digits, it is the port, and the user
    // follows.
    let is_port = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
    let (registry, username, secret) = if is_port {
        let (username, secret) = rest.split_once(':')?;
        (format!("{host}:{first}"), username, secret)
    } else {
        (host.to_owned(), first, rest)
    };
    (!username.is_empty() && !secret.is_empty()).then(|| Entry {
        registry: registry.to_ascii_lowercase(),
        username,
        secret: secret.into(),
    })
}

/// Splits off the host, which may be an IPv6 address in brackets, and returns
/// it with the text after its colon.
fn host(text: &str) -> Option<(&str, &str)> {
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':')?,
    };
    let (host, rest) = text.split_at(end);
    let rest = rest.strip_prefix(':')?;
    (!host.is_empty()).then_some((host, rest))
}
