//! Checks the kept documents and blobs of an artifact.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::store::{Installed, KeptFile, Metadata};

use super::examine::Examination;
use super::verify::FaultKind;

impl Examination<'_> {
    /// Checks each kept file against its digest, and returns the paths that belong in
    /// the directory. If one is missing or wrong, the artifact can no longer be
    /// shared, so a repair removes all of them.
    pub(super) fn artifact(&mut self, metadata: &Metadata) -> Vec<PathBuf> {
        let kept = metadata.kept.clone().unwrap_or_default();
        let paths: Vec<PathBuf> = kept
            .iter()
            .map(|one| self.files.kept(&one.digest))
            .collect();
        let wrong = kept.iter().filter_map(|one| {
            let file = self.files.kept(&one.digest);
            let found = Digest::of_file_within(&file, one.size);
            let (kind, reason) = fault_of(one, found)?;
            Some((file, kind, reason))
        });
        let wrong: Vec<(PathBuf, FaultKind, String)> = wrong.collect();
        for (file, kind, reason) in wrong {
            let (store, files) = (self.service.disk.blocking(), self.files.clone());
            let mut metadata = metadata.clone();
            metadata.kept = None;
            let installed = Installed { metadata, files };
            let suffix = file.extension().unwrap_or_default().to_string_lossy();
            self.fault(&suffix, kind, reason, || {
                let forgotten = store.refresh(&installed, None).is_ok();
                forgotten && paths.iter().all(is_removed)
            });
        }
        paths
    }
}

fn fault_of(kept: &KeptFile, found: io::Result<(Digest, u64)>) -> Option<(FaultKind, String)> {
    Some(match found {
        Ok(found) if found == (kept.digest, kept.size) => return None,
        Ok((digest, _)) => (FaultKind::Changed, format!("its digest is {digest}")),
        Err(error) => (FaultKind::Unreadable, format!("it cannot be read: {error}")),
    })
}

fn is_removed(path: &PathBuf) -> bool {
    match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
