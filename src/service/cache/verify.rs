//! `cache verify`: hashes every file again and compares every record with the files.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;

use crate::fetch::Progress;
use crate::reference::ComponentId;
use crate::store::{Patience, SecretError, Wait};

use super::super::{Error, Service};
use super::examine::faults_of;
use super::tree_size;

/// Whether faults are repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Faults are only reported.
    No,
    /// Files that can be made from the component are. A component with changed bytes
    /// is moved to `quarantine/`, like an unreadable record. Policies and secrets are
    /// never changed.
    Yes,
}

#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// Sorted by id.
    pub components: Vec<Verdict>,
    /// Faults in files of secrets, whether their component is installed or not.
    pub secrets: Vec<Fault>,
    /// Bytes that were hashed.
    pub bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub id: ComponentId,
    pub faults: Vec<Fault>,
}

/// A file that is not as it was installed.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// The file's name, or its path below the root if it is not beside the component.
    pub file: String,
    pub kind: FaultKind,
    pub reason: String,
    pub repaired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It is missing or cannot be parsed.
    Unreadable,
    /// Its bytes changed.
    Changed,
    /// It does not match the component.
    Inconsistent,
    /// Other users could have read or written it.
    Exposed,
    /// No version of this program puts such a file there.
    Foreign,
    /// A newer version of this program wrote it.
    Newer,
}

impl VerifyReport {
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let components = self.components.iter();
        let faults = components.flat_map(|verdict| &verdict.faults);
        faults.chain(&self.secrets)
    }

    /// How many faults were not repaired.
    pub fn remaining(&self) -> usize {
        self.faults().filter(|fault| !fault.repaired).count()
    }
}

impl Service {
    /// Checks one component or all, on every core.
    ///
    /// # Errors
    ///
    /// [`crate::store::StoreError::NotInstalled`]; faults are in the report.
    pub fn cache_verify(
        &self,
        id: Option<&ComponentId>,
        repair: Repair,
        progress: &dyn Progress,
    ) -> Result<VerifyReport, Error> {
        let ids = match id {
            Some(id) => vec![self.known(id)?],
            None => self.disk.blocking().ids()?,
        };
        if repair == Repair::Yes {
            self.sweep();
        }
        let total = ids.iter().map(|id| self.bytes_of(id)).sum();
        let done = AtomicU64::new(0);
        progress.bytes(0, Some(total));
        let mut components = on_every_core(&ids, |id| {
            // Measured first, because a repair may change the files or move them.
            let bytes = self.bytes_of(id);
            let faults = self.examine(id, repair);
            let so_far = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            progress.bytes(so_far, Some(total));
            let id = id.clone();
            Verdict { id, faults }
        });
        components.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(VerifyReport {
            components,
            secrets: self.examine_secrets(id),
            bytes: total,
        })
    }

    /// Checks a component, and if it has faults, checks and repairs it again under
    /// its lock: a change by another process looks like a fault.
    fn examine(&self, id: &ComponentId, repair: Repair) -> Vec<Fault> {
        let faults = faults_of(self, id, Repair::No);
        if faults.is_empty() {
            return faults;
        }
        let path = self.disk.layout().component_lock(id);
        let mut wait = Wait::new(&path, Patience::default());
        loop {
            match self.disk.blocking().try_hold(id) {
                Ok(None) => match wait.pause() {
                    Ok(pause) => thread::sleep(pause),
                    Err(error) => {
                        tracing::warn!("`{id}` is not repaired: {error}");
                        return faults;
                    }
                },
                // It was unloaded meanwhile.
                Ok(Some(_hold)) if self.known(id).is_err() => return Vec::new(),
                Ok(Some(_hold)) => return faults_of(self, id, repair),
                // Without a lock on a read-only root, nothing can be repaired either.
                Err(_) => return faults,
            }
        }
    }

    /// Only a person can repair a secret.
    fn examine_secrets(&self, id: Option<&ComponentId>) -> Vec<Fault> {
        let secrets = self.disk.blocking().secrets();
        let fault = |name: &str, kind, reason| Fault {
            file: format!("secrets/{name}"),
            kind,
            reason,
            repaired: false,
        };
        let files = match secrets.files() {
            Ok(files) => files,
            Err(error) => return vec![fault("", FaultKind::Unreadable, error.to_string())],
        };
        let wanted = files
            .into_iter()
            .filter(|(_, owner)| id.is_none() || owner.as_ref() == id);
        let faults = wanted.filter_map(|(path, owner)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.escape_debug().to_string();
            let Some(owner) = owner else {
                let reason = "it holds no secrets of a component".into();
                return Some(fault(&name, FaultKind::Foreign, reason));
            };
            let error = secrets.get(&owner).err()?;
            let kind = match error {
                SecretError::Exposed { .. } => FaultKind::Exposed,
                _ => FaultKind::Unreadable,
            };
            Some(fault(&name, kind, error.to_string()))
        });
        faults.collect()
    }

    fn bytes_of(&self, id: &ComponentId) -> u64 {
        let layout = self.disk.layout();
        tree_size(&layout.component(id).dir) + tree_size(&layout.previous(id).dir)
    }
}

/// Runs `work` for every id; the results are in no order.
fn on_every_core<T: Send>(ids: &[ComponentId], work: impl Fn(&ComponentId) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let run = || {
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(id);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push(result);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..workers.min(ids.len()) {
            scope.spawn(run);
        }
        run();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
