//! `cache verify`: every byte is hashed again, and every record compared with
//! what it speaks of.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::digest::Digest;
use crate::fetch::Progress;
use crate::reference::ComponentId;
use crate::runtime::CodeState;
use crate::schema;
use crate::store::{ComponentFiles, Installed, Metadata, ValidationStamp, is_unfinished};

use super::super::{Error, Service, code_source};

/// What is done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// It is reported.
    No,
    /// What can be made again from the component is; a component whose bytes
    /// are not those that were installed is moved to `quarantine/`.
    Yes,
}

#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// In order of id.
    pub components: Vec<Verdict>,
    /// Bytes that were hashed.
    pub bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub id: ComponentId,
    pub faults: Vec<Fault>,
}

/// Something that is not as it was installed.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// The file's name.
    pub file: String,
    pub reason: String,
    pub repaired: bool,
}

impl VerifyReport {
    /// Faults that are still there.
    pub fn remaining(&self) -> usize {
        let faults = self.components.iter().flat_map(|verdict| &verdict.faults);
        faults.filter(|fault| !fault.repaired).count()
    }
}

impl Service {
    /// Checks one component or all, on every core.
    ///
    /// # Errors
    ///
    /// [`crate::store::StoreError::NotInstalled`]; what is wrong with a
    /// component is in the report.
    pub fn cache_verify(
        &self,
        id: Option<&ComponentId>,
        repair: Repair,
        progress: &dyn Progress,
    ) -> Result<VerifyReport, Error> {
        let ids = match id {
            Some(id) => vec![self.known(id)?],
            None => self.store.ids()?,
        };
        let total = ids.iter().map(|id| self.bytes_of(id)).sum();
        let next = AtomicUsize::new(0);
        let done = AtomicU64::new(0);
        let verdicts = Mutex::new(Vec::new());
        let work = || {
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                let verdict = self.examine(id, repair);
                let bytes = self.bytes_of(id);
                progress.bytes(
                    done.fetch_add(bytes, Ordering::Relaxed) + bytes,
                    Some(total),
                );
                let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                verdicts.push(verdict);
            }
        };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 1..workers.min(ids.len()) {
                scope.spawn(work);
            }
            work();
        });
        let mut components = verdicts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        components.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(VerifyReport {
            components,
            bytes: total,
        })
    }

    /// What another process changes meanwhile looks like a fault: what is
    /// found is believed, and mended, once the component is held.
    fn examine(&self, id: &ComponentId, repair: Repair) -> Verdict {
        let verdict = Examination::new(self, id, Repair::No).run();
        if verdict.faults.is_empty() {
            return verdict;
        }
        loop {
            match self.store.try_hold(id) {
                Ok(None) => thread::sleep(RETRY),
                Ok(Some(_hold)) => {
                    // Unloaded meanwhile, there is nothing to be said of it.
                    let gone = !self.store.layout().component(id).dir.is_dir();
                    let again = Examination::new(self, id, repair);
                    return if gone { again.nothing() } else { again.run() };
                }
                // A root that can only be read is changed by no one.
                Err(_) => return verdict,
            }
        }
    }

    fn bytes_of(&self, id: &ComponentId) -> u64 {
        let files = self.store.layout().component(id);
        let size = |path| super::size(path).unwrap_or(0);
        size(&files.wasm) + size(&files.cwasm)
    }
}

/// How often a component that another process holds is tried.
const RETRY: Duration = Duration::from_millis(20);

/// One component under examination.
pub(super) struct Examination<'a> {
    pub(super) service: &'a Service,
    id: &'a ComponentId,
    pub(super) files: ComponentFiles,
    repair: Repair,
    faults: Vec<Fault>,
}

impl<'a> Examination<'a> {
    fn new(service: &'a Service, id: &'a ComponentId, repair: Repair) -> Self {
        Examination {
            service,
            id,
            files: service.store.layout().component(id),
            repair,
            faults: Vec::new(),
        }
    }

    fn run(mut self) -> Verdict {
        if let Some(metadata) = self.metadata()
            && let Some(bytes) = self.component(&metadata)
        {
            self.records(metadata.clone(), &bytes);
            drop(bytes);
            self.code(metadata);
        }
        self.policy();
        let kept = self.artifact();
        self.strangers(kept);
        Verdict {
            id: self.id.clone(),
            faults: self.faults,
        }
    }

    fn nothing(self) -> Verdict {
        Verdict {
            id: self.id.clone(),
            faults: Vec::new(),
        }
    }

    /// The metadata, from whichever of its two copies is sound.
    fn metadata(&mut self) -> Option<Metadata> {
        let first = Metadata::read(&self.files.metadata);
        let copy = Metadata::read(&self.files.metadata_copy);
        let reason = |error| format!("it cannot be read: {error}");
        match (first, copy) {
            (Ok(metadata), Ok(_)) => Some(metadata),
            (Err(error), Err(_)) => {
                self.set_aside("metadata.json", reason(error));
                None
            }
            (Ok(sound), Err(error)) => self.written_again("metadata.copy.json", sound, error),
            (Err(error), Ok(sound)) => self.written_again("metadata.json", sound, error),
        }
    }

    fn written_again(
        &mut self,
        suffix: &str,
        sound: Metadata,
        error: io::Error,
    ) -> Option<Metadata> {
        let store = &self.service.store;
        let installed = Installed {
            metadata: sound.clone(),
            files: self.files.clone(),
        };
        self.fault(suffix, format!("it cannot be read: {error}"), || {
            store.refresh(&installed).is_ok()
        });
        Some(sound)
    }

    /// A policy that cannot be read grants nothing; only a person can say
    /// what it should grant.
    fn policy(&mut self) {
        if let Err(error) = self.service.store.granted(self.id) {
            let reason = match std::error::Error::source(&error) {
                Some(source) => format!("it grants nothing: {source}"),
                None => error.to_string(),
            };
            self.fault("policy.yaml", reason, || false);
        }
    }

    /// The component's bytes, if they are those that were installed.
    fn component(&mut self, metadata: &Metadata) -> Option<Vec<u8>> {
        let bytes = match fs::read(&self.files.wasm) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.set_aside("wasm", format!("it cannot be read: {error}"));
                return None;
            }
        };
        let (digest, expected) = (Digest::of(&bytes), metadata.digests.component);
        if digest != expected {
            let reason = format!("its digest is {digest}, but {expected} was installed");
            self.set_aside("wasm", reason);
            return None;
        }
        Some(bytes)
    }

    /// The records against the component's real exports.
    fn records(&mut self, mut metadata: Metadata, bytes: &[u8]) {
        let mut wrong = Vec::new();
        if metadata.component_id != *self.id {
            wrong.push(format!("it is that of `{}`", metadata.component_id));
            metadata.component_id = self.id.clone();
        }
        match ValidationStamp::of(&self.files.wasm, metadata.digests.component) {
            Ok(stamp) if stamp != metadata.validation_stamp => {
                wrong.push("its stamp is not that of the component".into());
                metadata.validation_stamp = stamp;
            }
            _ => {}
        }
        if metadata.receipt.content_digest != metadata.digests.component {
            wrong.push("its receipt is for another component".into());
            metadata.receipt.content_digest = metadata.digests.component;
        }
        match schema::describe(bytes, self.id.as_str()) {
            Ok(description) => {
                let tools = description.callable();
                let info = &mut metadata.component_info;
                if tools != metadata.tools
                    || info.imports != description.imports
                    || info.exports != description.exports
                {
                    wrong.push("it does not describe the component's exports".into());
                    info.imports = description.imports;
                    info.exports = description.exports;
                    metadata.tools = tools;
                }
            }
            Err(error) => wrong.push(format!("the component cannot be described: {error}")),
        }
        if wrong.is_empty() {
            return;
        }
        let files = self.files.clone();
        let store = &self.service.store;
        let installed = Installed { metadata, files };
        self.fault("metadata.json", wrong.join("; "), || {
            store.refresh(&installed).is_ok()
        });
    }

    fn code(&mut self, metadata: Metadata) {
        let files = self.files.clone();
        let source = code_source(&Installed { metadata, files });
        if let CodeState::Unusable(reason) = self.service.runtime.examine(&source) {
            let store = &self.service.store;
            self.fault("cwasm", reason, || {
                store.forget_compiled(&source.digest);
                fs::remove_file(&source.cwasm).is_ok()
            });
        }
    }

    /// Files that no version of this program put there.
    fn strangers(&mut self, kept: Vec<PathBuf>) {
        let known: BTreeSet<_> = self.files.all().into_iter().chain(kept).collect();
        let entries = fs::read_dir(&self.files.dir)
            .into_iter()
            .flatten()
            .flatten();
        for path in entries.map(|entry| entry.path()) {
            if !known.contains(&path) && !is_unfinished(&path) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.faults.push(Fault {
                    file: name.escape_debug().to_string(),
                    reason: "it is no part of a component".into(),
                    repaired: false,
                });
            }
        }
    }

    /// A fault after which the component cannot be served.
    fn set_aside(&mut self, suffix: &str, reason: String) {
        let (service, id) = (self.service, self.id);
        self.fault(suffix, reason, || service.store.quarantine(id).is_ok());
    }

    pub(super) fn fault(&mut self, suffix: &str, reason: String, mend: impl FnOnce() -> bool) {
        let repaired = self.repair == Repair::Yes && mend();
        self.faults.push(Fault {
            file: format!("{}.{suffix}", self.id),
            reason,
            repaired,
        });
    }
}
