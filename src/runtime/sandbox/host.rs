//! What guests share of the host.

use std::path::PathBuf;
use std::sync::Arc;

use super::files::Withheld;
use super::network::{Connector, NetworkOptions, Places};

/// The host as the guests of one component meet it. Making one does nothing.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Host {
    pub(super) connector: Arc<Connector>,
    pub(super) withheld: Arc<Withheld>,
    /// What is open on the network: of all guests, or of one component's.
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

    /// The same, with this component's part of what all share.
    pub fn of_component(&self) -> Self {
        Host {
            places: Places::of_component(&self.places),
            ..self.clone()
        }
    }
}
