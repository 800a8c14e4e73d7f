//! What is kept of artifacts, under examination.

use std::fs;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::store::{Installed, KeptFile, Metadata};

use super::verify::Examination;

impl Examination<'_> {
    /// Holds each file to its digest, and returns those that belong here.
    /// Without one of them the artifact can no longer be shared, and what is
    /// left of it is of no use.
    pub(super) fn artifact(&mut self) -> Vec<PathBuf> {
        let metadata = Metadata::read(&self.files.metadata);
        let copy = || Metadata::read(&self.files.metadata_copy);
        let Ok(metadata) = metadata.or_else(|_| copy()) else {
            return Vec::new();
        };
        let kept = metadata.kept.clone().unwrap_or_default();
        let paths: Vec<PathBuf> = kept
            .iter()
            .map(|one| self.files.kept(&one.digest))
            .collect();
        let wrong = kept.iter().filter_map(|one| {
            let file = self.files.kept(&one.digest);
            let reason = fault_of(one, Digest::of_file(&file))?;
            Some((file, reason))
        });
        let wrong: Vec<(PathBuf, String)> = wrong.collect();
        for (file, reason) in wrong {
            let (store, files) = (&self.service.store, self.files.clone());
            let mut metadata = metadata.clone();
            metadata.kept = None;
            let installed = Installed { metadata, files };
            let suffix = file.extension().unwrap_or_default().to_string_lossy();
            self.fault(&suffix, reason, || {
                let forgotten = store.refresh(&installed).is_ok();
                forgotten && paths.iter().all(is_removed)
            });
        }
        paths
    }
}

fn fault_of(kept: &KeptFile, found: std::io::Result<(Digest, u64)>) -> Option<String> {
    match found {
        Ok(found) if found == (kept.digest, kept.size) => None,
        Ok((digest, _)) => Some(format!("its digest is {digest}")),
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}

fn is_removed(path: &PathBuf) -> bool {
    match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
