//! The network settings that all guests share.

use std::path::PathBuf;
use std::sync::Arc;

use super::resolve::{Resolve, SystemResolver};

/// The host's settings for guests' connections.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// PEM files of certificate authorities, trusted in addition to the system's.
    pub ca_files: Vec<PathBuf>,
    /// Resolves names to addresses.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for NetworkOptions {
    /// Returns the system's certificate authorities and resolver.
    fn default() -> Self {
        NetworkOptions {
            ca_files: Vec::new(),
            resolver: Arc::new(SystemResolver),
        }
    }
}
