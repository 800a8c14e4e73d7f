//! Finds the repository that a requested name refers to.
//!
//! A client that uses this node as a mirror asks for `acme/weather` and adds
//! `ns=ghcr.io`. Without `ns`, the name may start with the registry
//! (`ghcr.io/acme/weather`, or `reg.lan_5000/acme/weather` for one with a port, as a
//! name may have no colon). Otherwise it means the one shared repository of that
//! name, from whichever registry.

use std::sync::Arc;

use super::index::SharedArtifact;

/// A repository, as requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its registry, if the request named one.
    pub registry: Option<String>,
    pub name: String,
}

pub enum Pick {
    /// At least one.
    Of(Vec<Arc<SharedArtifact>>),
    None,
    /// Repositories of several registries match.
    Several,
}

/// The shared components of the repository.
pub fn pick(repository: &Repository, artifacts: Vec<Arc<SharedArtifact>>) -> Pick {
    let Repository { registry, name } = repository;
    let of = |wanted: &dyn Fn(&SharedArtifact) -> bool| -> Vec<Arc<SharedArtifact>> {
        let found = artifacts.iter().filter(|artifact| wanted(artifact));
        found.cloned().collect()
    };
    if let Some(registry) = registry {
        let found = of(&|artifact| {
            artifact.registry.eq_ignore_ascii_case(registry) && artifact.repository == *name
        });
        return one_of(found);
    }
    let found = of(&|artifact| is_full_name(name, &artifact.registry, &artifact.repository));
    if !found.is_empty() {
        return one_of(found);
    }
    one_of(of(&|artifact| artifact.repository == *name))
}

fn one_of(found: Vec<Arc<SharedArtifact>>) -> Pick {
    match found.split_first() {
        None => Pick::None,
        Some((first, rest))
            if rest
                .iter()
                .any(|artifact| artifact.registry != first.registry) =>
        {
            Pick::Several
        }
        Some(_) => Pick::Of(found),
    }
}

fn is_full_name(name: &str, registry: &str, repository: &str) -> bool {
    [registry, &registry.replace(':', "_")]
        .iter()
        .any(|prefix| {
            let rest = name.strip_prefix(*prefix);
            rest.and_then(|rest| rest.strip_prefix('/')) == Some(repository)
        })
}

#[cfg(test)]
mod tests {
    use super::is_full_name;

    #[test]
    fn a_full_name_begins_with_the_registry() {
        for (name, registry) in [
            ("ghcr.io/acme/a", "ghcr.io"),
            ("reg.lan:5000/acme/a", "reg.lan:5000"),
            ("reg.lan_5000/acme/a", "reg.lan:5000"),
        ] {
            assert!(is_full_name(name, registry, "acme/a"), "{name}");
        }
        for (name, registry) in [
            ("acme/a", "ghcr.io"),
            ("ghcr.ioacme/a", "ghcr.io"),
            ("ghcr.io/acme/ab", "ghcr.io"),
            ("reg.lan/acme/a", "reg.lan:5000"),
        ] {
            assert!(!is_full_name(name, registry, "acme/a"), "{name}");
        }
    }
}
