//! Records when components are called, so that the least recently used can be
//! removed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::reference::ComponentId;
use crate::store::usage;

use super::Service;

/// Further calls within this time are not recorded.
const GRAIN: Duration = Duration::from_secs(600);

/// When a call of each component was last recorded.
#[derive(Default)]
pub(super) struct LastCalls(Mutex<HashMap<ComponentId, Instant>>);

impl LastCalls {
    /// Whether a call must be recorded; if so, it counts as recorded.
    fn is_due(&self, id: &ComponentId) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = noted.get(id).is_none_or(|at| at.elapsed() > GRAIN);
        if due {
            noted.insert(id.clone(), Instant::now());
        }
        due
    }
}

impl Service {
    /// Records that the component is called now. Needs a tokio runtime.
    pub(super) fn note_use(&self, id: &ComponentId) {
        if !self.last_calls.is_due(id) {
            return;
        }
        let files = self.disk.layout().component(id);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = usage::touch(&files) {
                tracing::debug!(%error, "use not noted");
            }
        });
    }
}
