//! Finds permissions that a component requests but cannot use.

use super::Policy;

/// For network, storage and environment, in this order: prefixes of the
/// imports that use the permission, and the message when none of them is
/// imported.
const USES: [(&[&str], &str); 3] = [
    (
        &["wasi:http/", "wasi:sockets/"],
        "it asks for the network, but imports neither wasi:http nor wasi:sockets",
    ),
    (
        &["wasi:filesystem/"],
        "it asks for files, but does not import wasi:filesystem",
    ),
    (
        &["wasi:cli/environment", "wasi:config/"],
        "it asks for environment variables, but imports neither wasi:cli/environment nor wasi:config",
    ),
];

pub(super) fn unexpected(policy: &Policy, imports: &[String]) -> Vec<String> {
    let asked = [
        !policy.network.allow.is_empty(),
        !policy.storage.allow.is_empty(),
        !policy.environment.allow.is_empty(),
    ];
    let used = |names: &[&str]| {
        imports
            .iter()
            .any(|import| names.iter().any(|name| import.starts_with(name)))
    };
    USES.iter()
        .zip(asked)
        .filter(|((names, _), asked)| *asked && !used(names))
        .map(|((_, sentence), _)| (*sentence).to_owned())
        .collect()
}
