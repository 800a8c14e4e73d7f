use clap::Args;

use crate::reference::ComponentId;
use crate::service::RolledBack;

use super::output::{self, Present};
use super::{Failure, Global, Opening, block_on, changes};

/// Go back to the version before the one in place
///
/// One version is kept when another replaces it, until `unload` or `cache
/// prune`. Grants stay as they are. A second rollback undoes the first.
#[derive(Args)]
pub struct Rollback {
    /// Id of the component
    id: ComponentId,
}

impl Rollback {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let back = block_on(async { Ok(service.roll_back(&self.id).await?) })?;
        output::print(&back, global.output)?;
        Ok(())
    }
}

impl Present for RolledBack {
    fn table(&self) -> String {
        format!(
            "{}: back to {}\n{}",
            self.component_id,
            self.now.component,
            changes::table(&self.changes)
        )
    }
}
