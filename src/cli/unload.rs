use clap::Args;

use crate::reference::ComponentId;
use crate::service::{FreedNames, Unloaded};

use super::output::{self, Present};
use super::{Failure, Global, Opening, block_on};

/// Remove an installed component and its tools
#[derive(Args)]
pub struct Unload {
    /// Id of the component, as `wassette list` shows it
    id: ComponentId,

    /// Let other components have its tool names at once, instead of keeping them for 30 days
    #[arg(long)]
    free_names: bool,
}

impl Unload {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let names = match self.free_names {
            true => FreedNames::GivenUp,
            false => FreedNames::Reserved,
        };
        let unloaded = block_on(async { Ok(service.unload(&self.id, names).await?) })?;
        output::print(&unloaded, global.output)?;
        Ok(())
    }
}

impl Present for Unloaded {
    fn table(&self) -> String {
        format!("Unloaded `{}`", self.component_id)
    }
}
