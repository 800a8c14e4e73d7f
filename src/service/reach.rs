//! Computes what each component's tools can change or reach, for the tool list.

use tokio::task::JoinError;

use crate::reference::ComponentId;
use crate::schema::Reach;
use crate::store::{Metadata, Store};

use super::Service;

impl Service {
    /// Updates what a component's tools can change or reach, from its imports and
    /// grants.
    ///
    /// # Errors
    ///
    /// When the disk task panicked.
    pub(super) async fn follow_reach(&self, metadata: &Metadata) -> Result<(), JoinError> {
        let id = &metadata.component_id;
        let imports = Reach::of_imports(&metadata.component_info.imports);
        loop {
            let component = id.clone();
            let look = move |store: &Store| reach(store, &component, imports);
            let reach = self.disk.run(look).await?;
            // After a change, compute it again: another grant may have come
            // meanwhile, and the latest must count.
            if !self.toolbox.set_reach(id, reach) {
                return Ok(());
            }
        }
    }
}

/// The part of what the imports allow that is granted. Reads the policy only if that
/// matters.
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
