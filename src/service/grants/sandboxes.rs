//! The sandbox of each component, rebuilt when its policy changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Report;
use crate::policy::Policy;
use crate::reference::ComponentId;
use crate::runtime::{Sandbox, SandboxOptions};
use crate::store::{FileStamp, Layout, Store};

use crate::service::{Error, Service};

use super::variables::GrantedVariables;

/// The sandboxes of the components called so far.
pub(in crate::service) struct Sandboxes {
    /// The server's directory, absolute and canonical; `fs://name` is relative to it.
    working_directory: PathBuf,
    known: Mutex<HashMap<ComponentId, Known>>,
}

struct Known {
    /// The stamp of the policy file; equal stamps mean the same grants.
    stamp: Option<FileStamp>,
    sandbox: Sandbox,
}

impl Default for Sandboxes {
    fn default() -> Self {
        let directory = std::env::current_dir().and_then(|directory| directory.canonicalize());
        Sandboxes {
            // Without a directory, relative grants reach nothing.
            working_directory: directory.unwrap_or_default(),
            known: Mutex::default(),
        }
    }
}

impl Sandboxes {
    /// Makes the next call read the policy again.
    pub fn forget(&self, id: &ComponentId) {
        self.lock().remove(id);
    }

    fn current(&self, id: &ComponentId, stamp: Option<FileStamp>) -> Option<Sandbox> {
        let known = self.lock();
        let known = known.get(id).filter(|known| known.stamp == stamp)?;
        Some(known.sandbox.clone())
    }

    /// Reads the policy; an unreadable one grants nothing.
    fn read(&self, store: &Store, id: &ComponentId) -> Sandbox {
        // The stamp is taken before reading, so that a change in between is noticed
        // at the next call.
        let stamp = stamp(store.layout(), id);
        let sandbox = match store.granted(id) {
            Ok(granted) if granted.policy.grants_nothing() => Sandbox::deny_all(),
            Ok(granted) => self.make(&granted.policy, store, id),
            Err(error) => {
                tracing::warn!("{}", Report::new(&error));
                Sandbox::deny_all()
            }
        };
        if stamp.is_none_or(|stamp| stamp.is_settled()) {
            let sandbox = sandbox.clone();
            self.lock().insert(id.clone(), Known { stamp, sandbox });
        }
        sandbox
    }

    fn make(&self, policy: &Policy, store: &Store, id: &ComponentId) -> Sandbox {
        let rules = &policy.environment.allow;
        Sandbox::new(SandboxOptions {
            policy,
            working_directory: &self.working_directory,
            variables: Arc::new(GrantedVariables::new(id, rules, store.secrets())),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ComponentId, Known>> {
        // No statement leaves the map half-changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// The sandbox for a call that starts now.
    pub(in crate::service) async fn sandbox(
        self: &Arc<Self>,
        id: &ComponentId,
    ) -> Result<Sandbox, Error> {
        let stamp = stamp(self.disk.layout(), id);
        if let Some(sandbox) = self.sandboxes.current(id, stamp) {
            return Ok(sandbox);
        }
        let (service, id) = (self.clone(), id.clone());
        let read = move |store: &Store| service.sandboxes.read(store, &id);
        Ok(self.disk.run(read).await?)
    }
}

fn stamp(layout: &Layout, id: &ComponentId) -> Option<FileStamp> {
    FileStamp::of(&layout.component(id).policy)
}
