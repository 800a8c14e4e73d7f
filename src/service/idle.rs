//! Removes the code of idle components from memory.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::runtime::Program;

use super::Service;

/// How long code stays in memory after a call, by default.
pub(super) const IDLE: Duration = Duration::from_secs(300);

/// The shortest pause between two checks.
const SHORTEST: Duration = Duration::from_millis(500);

impl Service {
    /// Unloads the code of idle components from memory, until the service is dropped.
    pub async fn let_idle_rest(service: Weak<Self>) {
        loop {
            let Some(idle) = service.upgrade().map(|service| service.idle) else {
                return;
            };
            // Half the idle time, so that code stays at most half as long again.
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
