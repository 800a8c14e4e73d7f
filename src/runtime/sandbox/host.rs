//! The resources of the host that guests share.

use std::path::PathBuf;
use std::sync::Arc;

use super::files::Withheld;
use super::network::{Connector, NetworkOptions, Places};

/// The host, as seen by the guests of one component. Creating one does nothing.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Host {
    pub(super) connector: Arc<Connector>,
    pub(super) withheld: Arc<Withheld>,
    /// Limits of open connections: of all guests, or of one component's.
    pub(super) places: Arc<Places>,
}

impl Host {
    /// `withheld` are files and directories that no guest gets.
    pub fn new(network: NetworkOptions, withheld: Vec<PathBuf>) -> Self {
        Host {
            connector: Connector::new(network),
            withheld: Arc::new(Withheld::new(withheld)),
            places: Places::of_all(),
        }
    }

    /// Creates a copy with this component's part of the shared limits.
    pub fn of_component(&self) -> Self {
        Host {
            places: Places::of_component(&self.places),
            ..self.clone()
        }
    }
}
