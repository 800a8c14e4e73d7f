//! Checks one component for `cache verify`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::fetch::Identity;
use crate::file::{Links, read_regular};
use crate::reference::ComponentId;
use crate::runtime::CodeState;
use crate::schema;
use crate::service::{Service, code_source};
use crate::store::{self, ComponentFiles, Installed, Metadata, ValidationStamp, read_evidence};
use crate::verify::Evidence;

use super::verify::{Fault, FaultKind, Repair};

/// The check of one version of a component.
pub(super) struct Examination<'a> {
    pub(super) service: &'a Service,
    id: &'a ComponentId,
    pub(super) files: ComponentFiles,
    version: Version,
    repair: Repair,
    faults: Vec<Fault>,
}

/// The version that is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    InPlace,
    /// The previous one, for `rollback`.
    Previous,
}

/// The faults of a component and of its previous version.
pub(super) fn faults_of(service: &Service, id: &ComponentId, repair: Repair) -> Vec<Fault> {
    let layout = service.disk.layout();
    let examination = |version, files| Examination {
        service,
        id,
        files,
        version,
        repair,
        faults: Vec::new(),
    };
    let mut faults = examination(Version::InPlace, layout.component(id)).run();
    let previous = layout.previous(id);
    if previous.dir.is_dir() {
        faults.extend(examination(Version::Previous, previous).run());
    }
    faults
}

impl Examination<'_> {
    fn run(mut self) -> Vec<Fault> {
        if self.is_newer() {
            return self.faults;
        }
        let metadata = self.metadata();
        if let Some(metadata) = &metadata
            && let Some(bytes) = self.component(metadata)
        {
            self.records(metadata.clone(), &bytes);
            drop(bytes);
            self.code(metadata.clone());
        }
        if let Some(metadata) = &metadata {
            self.evidence(metadata);
        }
        if self.version == Version::InPlace {
            self.policy();
        }
        // Repairs may have moved the directory to the quarantine.
        if self.files.dir.is_dir() {
            let kept = metadata.map(|metadata| self.artifact(&metadata));
            self.strangers(kept.unwrap_or_default());
        }
        self.faults
    }

    /// Whether a newer version of this program wrote it; then nothing else is checked
    /// or changed.
    fn is_newer(&mut self) -> bool {
        let Some(format) = Metadata::newer_format(&self.files.metadata) else {
            return false;
        };
        let reason = format!("a newer version of this program wrote it (format {format})");
        self.fault("metadata.json", FaultKind::Newer, reason, || false);
        true
    }

    /// The metadata, from either of its two copies.
    fn metadata(&mut self) -> Option<Metadata> {
        let first = Metadata::read(&self.files.metadata);
        let copy = Metadata::read(&self.files.metadata_copy);
        let reason = |error| format!("it cannot be read: {error}");
        match (first, copy) {
            (Ok(metadata), Ok(_)) => Some(metadata),
            (Err(error), Err(_)) => {
                self.set_aside("metadata.json", FaultKind::Unreadable, reason(error));
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
        let store = self.service.disk.blocking();
        let installed = Installed {
            metadata: sound.clone(),
            files: self.files.clone(),
        };
        let reason = format!("it cannot be read: {error}");
        self.fault(suffix, FaultKind::Unreadable, reason, || {
            store.refresh(&installed, None).is_ok()
        });
        Some(sound)
    }

    /// Checks that the policy, its record and the rules for tools can be read. An
    /// unreadable policy grants nothing, with unreadable rules no tool is offered, and
    /// only a person can repair them. Without its record, a policy still grants.
    fn policy(&mut self) {
        if let Err(error) = self.service.disk.blocking().granted(self.id) {
            let reason = match std::error::Error::source(&error) {
                Some(source) => format!("it grants nothing: {source}"),
                None => error.to_string(),
            };
            self.fault("policy.yaml", FaultKind::Unreadable, reason, || false);
        }
        if let Err(error) = self.service.disk.blocking().recorded_rules(self.id) {
            let reason = match std::error::Error::source(&error) {
                Some(source) => format!("no tool is offered: {source}"),
                None => error.to_string(),
            };
            self.fault("tools.json", FaultKind::Unreadable, reason, || false);
        }
        let (store, path) = (
            self.service.disk.blocking(),
            self.files.policy_record.clone(),
        );
        if let Err(error) = store.check_record(self.id) {
            let reason = format!("the record of who granted what cannot be read: {error}");
            self.fault("policy.meta.json", FaultKind::Unreadable, reason, || {
                // A record of another format is not damaged, so it stays.
                error.kind() != io::ErrorKind::Other && store.set_aside(&path).is_ok()
            });
        }
    }

    /// Verifies the evidence of the signature again, without the network. Only another load can
    /// replace it.
    fn evidence(&mut self, metadata: &Metadata) {
        let (kind, reason) = match (read_evidence(&self.files), metadata.trust.signer()) {
            (Ok(None), None) => return,
            (Ok(None), Some(signer)) => {
                let reason = format!("nothing proves that {} signed it", signer.id);
                (FaultKind::Unreadable, reason)
            }
            (Ok(Some(_)), None) => {
                let reason = "it proves a signature that the component is not known to have";
                (FaultKind::Inconsistent, reason.to_owned())
            }
            (Ok(Some(evidence)), Some(_)) => match self.prove(&evidence, metadata) {
                Ok(()) => return,
                Err(reason) => (FaultKind::Changed, reason),
            },
            (Err(error), _) => {
                let reason = format!("it cannot be read: {error}");
                (FaultKind::Unreadable, reason)
            }
        };
        self.fault("evidence.json", kind, reason, || false);
    }

    fn prove(&self, evidence: &Evidence, metadata: &Metadata) -> Result<(), String> {
        let signed = match &metadata.identity {
            Identity::Oci { manifest_digest } => *manifest_digest,
            Identity::File { .. } | Identity::Https { .. } => metadata.digests.component,
        };
        if metadata.trust.signer() != Some(&evidence.signer) || evidence.digest != signed {
            return Err("it proves another signature than the component's".into());
        }
        let root = self
            .service
            .installer
            .rules
            .trust
            .root(evidence.trusted_root.as_deref());
        let root = root.map_err(|error| error.to_string())?;
        let at_hand = match metadata.identity {
            Identity::Oci { .. } => self.files.kept(&signed),
            _ => self.files.wasm.clone(),
        };
        let bytes = read_regular(&at_hand, u64::MAX, Links::Follow).ok();
        let proven = evidence.prove(bytes.as_deref(), &root);
        proven.map_err(|error| format!("it does not prove the signature: {error}"))
    }

    /// The component's bytes, if they are those that were installed.
    fn component(&mut self, metadata: &Metadata) -> Option<Vec<u8>> {
        // A file that is longer than at installation has changed: one byte more is
        // enough to see that.
        let most = metadata.validation_stamp.file_size.saturating_add(1);
        let bytes = match read_regular(&self.files.wasm, most, Links::Follow) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reason = format!("it cannot be read: {error}");
                self.set_aside("wasm", FaultKind::Unreadable, reason);
                return None;
            }
        };
        let (digest, expected) = (Digest::of(&bytes), metadata.digests.component);
        if digest != expected {
            let reason = format!("its digest is {digest}, but {expected} was installed");
            self.set_aside("wasm", FaultKind::Changed, reason);
            return None;
        }
        Some(bytes)
    }

    /// Compares the records with the component's real exports.
    fn records(&mut self, metadata: Metadata, bytes: &[u8]) {
        let mut records = Records {
            metadata,
            wrong: Vec::new(),
        };
        records.compare_names(self.id);
        records.compare_stamp(&self.files);
        records.compare_description(self.id, bytes);
        let Records { metadata, wrong } = records;
        if wrong.is_empty() {
            return;
        }
        let files = self.files.clone();
        let store = self.service.disk.blocking();
        let installed = Installed { metadata, files };
        let kind = FaultKind::Inconsistent;
        self.fault("metadata.json", kind, wrong.join("; "), || {
            store.refresh(&installed, None).is_ok()
        });
    }

    fn code(&mut self, metadata: Metadata) {
        let files = self.files.clone();
        let source = code_source(&Installed { metadata, files });
        if let CodeState::Unusable(reason) = self.service.runtime.examine(&source) {
            let store = self.service.disk.blocking();
            self.fault("cwasm", FaultKind::Changed, reason, || {
                store.forget_compiled(&source.digest);
                fs::remove_file(&source.cwasm).is_ok()
            });
        }
    }

    /// Reports files that no version of this program puts there.
    fn strangers(&mut self, kept: Vec<PathBuf>) {
        let known: BTreeSet<_> = self.files.all().into_iter().chain(kept).collect();
        let entries = fs::read_dir(&self.files.dir)
            .into_iter()
            .flatten()
            .flatten();
        for path in entries.map(|entry| entry.path()) {
            if known.contains(&path) || store::is_unfinished(&path) {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.faults.push(Fault {
                file: format!("{}{}", self.beginning(), name.escape_debug()),
                kind: FaultKind::Foreign,
                reason: "it is not part of a component".into(),
                repaired: false,
            });
        }
    }

    /// Records a fault after which this version cannot be used, and quarantines it.
    fn set_aside(&mut self, suffix: &str, kind: FaultKind, reason: String) {
        let (store, id, directory) = (
            self.service.disk.blocking(),
            self.id,
            self.files.dir.clone(),
        );
        let version = self.version;
        self.fault(suffix, kind, reason, || match version {
            Version::InPlace => store.quarantine(id).is_ok(),
            Version::Previous => store.set_aside(&directory).is_ok(),
        });
    }

    pub(super) fn fault(
        &mut self,
        suffix: &str,
        kind: FaultKind,
        reason: String,
        mend: impl FnOnce() -> bool,
    ) {
        let repaired = self.repair == Repair::Yes && mend();
        self.faults.push(Fault {
            file: format!("{}{}.{suffix}", self.beginning(), self.id),
            kind,
            reason,
            repaired,
        });
    }

    /// The prefix of file names in faults.
    fn beginning(&self) -> &'static str {
        match self.version {
            Version::InPlace => "",
            Version::Previous => "previous/",
        }
    }
}

/// The metadata of a component, and what was corrected in it.
struct Records {
    metadata: Metadata,
    wrong: Vec<String>,
}

impl Records {
    fn compare_names(&mut self, id: &ComponentId) {
        let metadata = &mut self.metadata;
        if metadata.component_id != *id {
            let other = &metadata.component_id;
            self.wrong.push(format!("it is that of `{other}`"));
            metadata.component_id = id.clone();
        }
        if metadata.receipt.content_digest != metadata.digests.component {
            self.wrong
                .push("its receipt is for another component".into());
            metadata.receipt.content_digest = metadata.digests.component;
        }
    }

    fn compare_stamp(&mut self, files: &ComponentFiles) {
        let metadata = &mut self.metadata;
        let stamp = ValidationStamp::of(&files.wasm, metadata.digests.component);
        if let Ok(stamp) = stamp
            && stamp != metadata.validation_stamp
        {
            self.wrong
                .push("its stamp is not that of the component".into());
            metadata.validation_stamp = stamp;
        }
    }

    fn compare_description(&mut self, id: &ComponentId, bytes: &[u8]) {
        let description = match schema::describe(bytes, id.as_str()) {
            Ok(description) => description,
            Err(error) => {
                let reason = format!("the component cannot be described: {error}");
                return self.wrong.push(reason);
            }
        };
        let tools = description.callable();
        let Metadata {
            tools: known,
            component_info: info,
            ..
        } = &mut self.metadata;
        let same = tools == *known
            && info.imports == description.imports
            && info.exports == description.exports;
        if !same {
            self.wrong
                .push("it does not describe the component's exports".into());
            info.imports = description.imports;
            info.exports = description.exports;
            *known = tools;
        }
    }
}
