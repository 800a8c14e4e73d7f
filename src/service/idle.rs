//! Components that nobody calls take no memory.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::runtime::Program;

use super::Service;

/// How long code stays in memory after a call, unless configured otherwise.
pub(super) const IDLE: Duration = Duration::from_secs(300);

/// The pause between two looks is at least this.
const SHORTEST: Duration = Duration::from_millis(500);

impl Service {
    /// Lets go of the code of idle components, until the service is dropped.
    pub async fn let_idle_rest(service: Weak<Self>) {
        loop {
            let Some(idle) = service.upgrade().map(|service| service.idle) else {
                return;
            };
            // Often enough that none stays half as long again.
            tokio::time::sleep((idle / 2).max(SHORTEST)).await;
            if let Some(service) = service.upgrade() {
                let programs: Vec<Arc<Program>> =
                    service.lock_programs().values().cloned().collect();
                for program in programs {
                    program.rest(idle);
                }
            }
        }
    }
}
