//! What all guests' networking starts from.

use std::path::PathBuf;
use std::sync::Arc;

use super::resolve::{Resolve, SystemResolver};

/// The host's own part in what guests do on the network.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// PEM files of authorities trusted besides those of the system.
    pub ca_files: Vec<PathBuf>,
    /// Who turns names into addresses.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for NetworkOptions {
    /// The system's authorities and the system's resolver.
    fn default() -> Self {
        NetworkOptions {
            ca_files: Vec::new(),
            resolver: Arc::new(SystemResolver),
        }
    }
}
