//! Imports of components, and those that the runtime provides.

use semver::Version;
use wit_parser::{Resolve, TypeDefKind, WorldItem};

use super::decode::Decoded;

/// The provided interfaces of [WASI 0.2][wasi], in any patch release.
///
/// [wasi]: https://github.com/WebAssembly/WASI/tree/main/wasip2
const WASI_0_2: &[(&str, &[&str])] = &[
    ("wasi:io/", &["error", "poll", "streams"]),
    ("wasi:clocks/", &["monotonic-clock", "wall-clock"]),
    ("wasi:random/", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:cli/",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:filesystem/", &["types", "preopens"]),
    (
        "wasi:sockets/",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
    ("wasi:http/", &["types", "outgoing-handler"]),
];

/// A draft interface that published JavaScript components import.
const CONFIG: &str = "wasi:config/store@0.2.0-draft";

/// Whether the runtime provides an interface, given by its full name.
pub fn is_provided(import: &str) -> bool {
    if import == CONFIG {
        return true;
    }
    let Some((interface, version)) = import.split_once('@') else {
        return false;
    };
    let Ok(version) = Version::parse(version) else {
        return false;
    };
    let known = WASI_0_2.iter().any(|(package, interfaces)| {
        interface
            .strip_prefix(package)
            .is_some_and(|name| interfaces.contains(&name))
    });
    known && (version.major, version.minor) == (0, 2) && version.pre.is_empty()
}

/// Returns the full names of all imports of a world.
pub(super) fn names(decoded: &Decoded) -> Vec<String> {
    let world = &decoded.resolve.worlds[decoded.world];
    let described = world
        .imports
        .iter()
        .filter(|(_, item)| !matches!(item, WorldItem::Type { .. }))
        .map(|(key, _)| decoded.resolve.name_world_key(key));
    described
        .chain(decoded.foreign_imports.iter().cloned())
        .collect()
}

/// Returns the full names of imports that need an implementation which the runtime does not
/// provide.
pub(super) fn unknown(decoded: &Decoded) -> Vec<String> {
    let Decoded {
        resolve,
        world,
        foreign_imports,
    } = decoded;
    resolve.worlds[*world]
        .imports
        .iter()
        .filter(|(key, item)| {
            needs_code(resolve, item) && !is_provided(&resolve.name_world_key(key))
        })
        .map(|(key, _)| resolve.name_world_key(key))
        .chain(foreign_imports.iter().cloned())
        .collect()
}

/// Whether an import needs an implementation. Interfaces with only plain types
/// do not.
fn needs_code(resolve: &Resolve, item: &WorldItem) -> bool {
    match item {
        WorldItem::Function(_) => true,
        WorldItem::Interface { id, .. } => {
            let interface = &resolve.interfaces[*id];
            let resources = interface
                .types
                .values()
                .any(|id| matches!(resolve.types[*id].kind, TypeDefKind::Resource));
            resources || !interface.functions.is_empty()
        }
        WorldItem::Type { id, .. } => {
            matches!(resolve.types[*id].kind, TypeDefKind::Resource)
        }
    }
}
