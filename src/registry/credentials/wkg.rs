//! Reads [`wkg`]'s variables: `WKG_REGISTRY_<REGISTRY>_AUTH_BEARER`, where the registry is in upper
//! case and every character other than a letter or digit is `_`.
//!
//! [`wkg`]: https://github.com/bytecodealliance/wasm-pkg-tools

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::{Credential, CredentialSource, Found, Secret, Wanted};

const BEFORE: &str = "WKG_REGISTRY_";
const AFTER: &str = "_AUTH_BEARER";

/// The bearer tokens found in the environment.
pub(super) fn tokens(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, Secret> {
    let token = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok()?;
        let is_one = name.starts_with(BEFORE) && name.ends_with(AFTER) && !value.is_empty();
        is_one.then(|| (name, value.to_string_lossy().into_owned().into()))
    };
    variables.filter_map(token).collect()
}

/// Returns the bearer token for a registry.
pub(super) fn find(tokens: &BTreeMap<String, Secret>, wanted: Wanted<'_>) -> Option<Found> {
    let registry = wanted.registry.chars();
    let registry = registry.map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    });
    let variable = format!("{BEFORE}{}{AFTER}", registry.collect::<String>());
    let token = tokens.get(&variable)?.clone();
    Some(Found {
        credential: Credential::RegistryToken(token),
        source: CredentialSource::Wkg(variable),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_the_name_of_its_registry() {
        let variable = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let tokens = tokens(
            [
                variable("WKG_REGISTRY_GHCR_IO_AUTH_BEARER", "one"),
                variable("WKG_REGISTRY_LOCALHOST_5000_AUTH_BEARER", "two"),
                variable("WKG_REGISTRY_EMPTY_AUTH_BEARER", ""),
                variable("WKG_REGISTRY", "no token"),
            ]
            .into_iter(),
        );
        assert_eq!(tokens.len(), 2);
        let of = |registry| {
            let repository = "acme/weather";
            let wanted = Wanted {
                registry,
                repository,
            };
            find(&tokens, wanted).map(|found| found.credential)
        };
        let token = |text: &str| Some(Credential::RegistryToken(text.into()));
        assert_eq!(of("ghcr.io"), token("one"));
        assert_eq!(of("localhost:5000"), token("two"));
        assert_eq!(of("empty"), None);
    }
}
