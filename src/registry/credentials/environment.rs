//! The variable `WASSETTE_REGISTRY_AUTH`: `host[:port]:user:secret`, several
//! separated by commas.

use super::{Credential, Secret, Wanted, canonical_host};

pub(super) const VARIABLE: &str = "WASSETTE_REGISTRY_AUTH";

/// One entry of the variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub registry: String,
    pub username: &'a str,
    pub secret: Secret,
}

/// The credential for a registry. Entries that cannot be read are named by
/// their number alone: whatever else they hold may be secret.
pub(super) fn find(text: &Secret, wanted: Wanted<'_>) -> Option<Credential> {
    let registry = canonical_host(wanted.registry);
    for (number, entry) in entries(text.expose()).enumerate() {
        let Some(entry) = entry else {
            tracing::warn!(
                "entry {} of {VARIABLE} is not of the form `host[:port]:user:secret`",
                number + 1
            );
            continue;
        };
        if canonical_host(&entry.registry) == registry {
            return Some(Credential::Password {
                username: entry.username.to_owned(),
                secret: entry.secret,
            });
        }
    }
    None
}

/// The entries in their order; none for one that is not of the form.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Option<Entry<'_>>> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(entry)
}

fn entry(text: &str) -> Option<Entry<'_>> {
    let (host, rest) = host(text)?;
    let (first, rest) = rest.split_once(':')?;
    // Digits in the second place are the port, and the user follows.
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

/// The host (an IPv6 address with its brackets) and what follows the colon.
fn host(text: &str) -> Option<(&str, &str)> {
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':')?,
    };
    let (host, rest) = text.split_at(end);
    let rest = rest.strip_prefix(':')?;
    (!host.is_empty()).then_some((host, rest))
}
