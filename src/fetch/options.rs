//! How fetching behaves.

use std::path::{Path, PathBuf};

use crate::{net, registry};

const MIB: u64 = 1024 * 1024;

/// Limits and permissions of a [`Fetcher`](super::Fetcher).
#[derive(Debug, Clone)]
pub struct FetchOptions {
    pub net: net::Options,
    pub registry: registry::Options,
    /// The largest component accepted, in bytes.
    pub max_component_bytes: u64,
    /// The largest bundled policy accepted, in bytes.
    pub max_policy_bytes: u64,
    /// How many downloads run at once.
    pub concurrency: usize,
    /// A directory for parts of downloads that broke off, which later ones
    /// continue. Used for staging directories beside it; without one, an
    /// interrupted download starts anew.
    pub parts: Option<PathBuf>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            net: net::Options::default(),
            registry: registry::Options::default(),
            max_component_bytes: 256 * MIB,
            max_policy_bytes: MIB,
            concurrency: 8,
            parts: None,
        }
    }
}

impl FetchOptions {
    /// Where the part of this staged file is kept: on the same file system.
    pub(super) fn parts_of(&self, staged: &Path) -> Option<&Path> {
        let parts = self.parts.as_deref()?;
        let beside = staged.parent()?.parent()?;
        (parts.parent() == Some(beside)).then_some(parts)
    }
}
