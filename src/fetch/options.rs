//! Settings of fetching.

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
    /// Most concurrent downloads.
    pub concurrency: usize,
    /// A directory for partial downloads, which later ones resume. It is used
    /// only for staging directories with the same parent. `None` means that an
    /// interrupted download starts over.
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
    /// The directory for the partial file of `staged`, if it is beside the
    /// staging directory and thus on the same file system.
    pub(super) fn parts_of(&self, staged: &Path) -> Option<&Path> {
        let parts = self.parts.as_deref()?;
        let beside = staged.parent()?.parent()?;
        (parts.parent() == Some(beside)).then_some(parts)
    }
}
