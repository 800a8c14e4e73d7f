use clap::Args;

use crate::reference::ComponentId;
use crate::service::Unloaded;

use super::output::{self, Present};
use super::{Failure, Global, Opening, block_on};

/// Remove an installed component and its tools
#[derive(Args)]
pub struct Unload {
    /// Id of the component, as `wassette list` shows it
    id: ComponentId,
}

impl Unload {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let unloaded = block_on(async { Ok(service.unload(&self.id).await?) })?;
        output::print(&unloaded, global.output);
        Ok(())
    }
}

impl Present for Unloaded {
    fn table(&self) -> String {
        format!("Unloaded `{}`", self.component_id)
    }
}
