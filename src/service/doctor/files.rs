//! Checks the root, the installed components, and files that hold secrets.

use std::fs;
use std::path::Path;

use super::{Finding, State};
use crate::service::Service;
use crate::store::{Entry, StoreError};

/// Free space needed by a large component, its native code and its previous version, in bytes.
const ROOM: u64 = 512 << 20;

impl Service {
    pub(super) fn check_files(&self) -> Vec<Finding> {
        let mut findings = vec![self.check_root()];
        findings.extend(self.check_room());
        findings.push(self.check_components());
        findings.push(self.check_private());
        findings.extend(self.check_trust());
        findings
    }

    /// Checks the rules about signatures, with their keys and trust roots.
    fn check_trust(&self) -> Option<Finding> {
        let trust = &self.installer.rules.trust;
        let rules = trust.all();
        if rules.is_empty() {
            return None;
        }
        if let Some(error) = rules.iter().find_map(|rule| trust.check(rule).err()) {
            return Some(Finding::failed("trust", &error));
        }
        let remarks = self.trust_remarks();
        Some(match remarks.is_empty() {
            true => Finding::ok("trust", format!("{} rules", rules.len())),
            false => Finding::new("trust", State::Warning, remarks.join("; "))
                .advise("`wassette trust explain SOURCE` shows which rule decides, and why"),
        })
    }

    fn check_root(&self) -> Finding {
        let root = self.disk.layout().root().to_owned();
        let shown = root.display();
        // Making a staging directory needs the same access to the root as a load.
        if let Err(error) = self.disk.blocking().without_patience().stage() {
            return match fs::read_dir(&root) {
                _ if matches!(error, StoreError::Locked { .. }) => Finding::failed("root", &error),
                Ok(_) => Finding::new("root", State::Warning, format!("{error}"))
                    .advise("what is installed works; to load more, make it writable"),
                Err(_) => Finding::failed("root", &error).advise(format!(
                    "make `{shown}` yours, or name another with `--root`"
                )),
            };
        }
        match exposure(&root) {
            Exposure::ToWriters => Finding::problem(
                "root",
                format!("other users can change what is in `{shown}`"),
            )
            .advise(format!("chmod 700 '{shown}'")),
            Exposure::ToReaders | Exposure::None => {
                Finding::ok("root", format!("`{shown}` can be read and written"))
            }
        }
    }

    #[cfg(unix)]
    fn check_room(&self) -> Option<Finding> {
        let system = rustix::fs::statvfs(self.disk.layout().root()).ok()?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let found = format!("{} MiB are free", free >> 20);
        Some(if free < ROOM {
            Finding::new("disk", State::Warning, found)
                .advise("make room, for instance with `wassette cache prune --unused-for 7d`")
        } else {
            Finding::ok("disk", found)
        })
    }

    #[cfg(not(unix))]
    fn check_room(&self) -> Option<Finding> {
        None
    }

    fn check_components(&self) -> Finding {
        let entries = match self.disk.blocking().without_patience().list() {
            Ok(entries) => entries,
            Err(error) => return Finding::failed("components", &error),
        };
        let damaged: Vec<String> = entries
            .iter()
            .filter(|entry| matches!(entry, Entry::Damaged { .. }))
            .map(|entry| format!("`{}`", entry.id()))
            .collect();
        if !damaged.is_empty() {
            let found = format!("not as they were installed: {}", damaged.join(", "));
            return Finding::problem("components", found).advise(
                "`wassette cache verify --repair` mends what it can; load the others again",
            );
        }
        let aside = self.disk.blocking().quarantined();
        if !aside.is_empty() {
            let found = format!("{} in quarantine", aside.len());
            let place = self.disk.layout().quarantine();
            return Finding::new("components", State::Warning, found).advise(format!(
                "find out who changed what is in `{}`, and remove it",
                place.display()
            ));
        }
        Finding::ok("components", format!("{} installed", entries.len()))
    }

    /// Checks that other users cannot read the files with secrets.
    fn check_private(&self) -> Finding {
        let layout = self.disk.layout();
        for path in [layout.secrets(), layout.root().join("auth.json")] {
            if exposure(&path) != Exposure::None {
                let path = path.display();
                return Finding::problem("secrets", format!("other users can read `{path}`"))
                    .advise(format!(
                        "chmod -R go= '{path}', and change the secrets in it"
                    ));
            }
        }
        let secrets = self.disk.blocking().secrets();
        let files = match secrets.files() {
            Ok(files) => files,
            Err(error) => {
                let error = StoreError::io("list", layout.secrets())(error);
                return Finding::failed("secrets", &error);
            }
        };
        let mut owners = files.iter().filter_map(|(_, owner)| owner.as_ref());
        match owners.find_map(|id| secrets.get(id).err()) {
            None => Finding::ok("secrets", "nobody else can read them"),
            Some(error) => Finding::failed("secrets", &error),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Exposure {
    None,
    ToReaders,
    ToWriters,
}

/// Which other users a file's mode admits; none if the file does not exist.
#[cfg(unix)]
fn exposure(path: &Path) -> Exposure {
    use std::os::unix::fs::MetadataExt;
    match fs::metadata(path).map(|metadata| metadata.mode()) {
        Ok(mode) if mode & 0o022 != 0 => Exposure::ToWriters,
        Ok(mode) if mode & 0o055 != 0 => Exposure::ToReaders,
        _ => Exposure::None,
    }
}

#[cfg(not(unix))]
fn exposure(_: &Path) -> Exposure {
    Exposure::None
}
