//! What each component's tools can change or reach, for the tool list.

use tokio::task::JoinError;

use crate::reference::ComponentId;
use crate::schema::Reach;
use crate::store::{Metadata, Store};

use super::Service;

impl Service {
    /// Notes what a component's tools can change or reach now, by its imports
    /// and its grants.
    ///
    /// # Errors
    ///
    /// When the work on the disk panicked.
    pub(super) async fn follow_reach(&self, metadata: &Metadata) -> Result<(), JoinError> {
        let id = &metadata.component_id;
        let imports = Reach::of_imports(&metadata.component_info.imports);
        loop {
            let component = id.clone();
            let look = move |store: &Store| reach(store, &component, imports);
            let reach = self.disk.run(look).await?;
            // Looked at again after a change, so that of two grants at once the
            // later one counts.
            if !self.toolbox.set_reach(id, reach) {
                return Ok(());
            }
        }
    }
}

/// What is left, under a component's grants, of what its imports allow. Reads
/// the policy only if that matters.
pub(super) fn reach(store: &Store, id: &ComponentId, imports: Reach) -> Reach {
    if imports == Reach::NONE {
        return imports;
    }
    match store.granted(id) {
        Ok(granted) => imports.granted(&granted.policy),
        // A policy that cannot be read grants nothing.
        Err(_) => Reach::NONE,
    }
}
