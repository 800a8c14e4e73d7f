//! Hashes files before they are sent, and again after they changed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Digest;
use crate::file::{Links, open_regular};
use crate::store::FileStamp;

use super::content::{Share, lock};
use super::index::SharedFile;

/// Most files that are remembered, including files of removed components.
const MAX_KNOWN: usize = 16 * 1024;

/// The files hashed so far, with their stamps at that time.
#[derive(Debug, Default)]
pub struct Checked {
    known: HashMap<PathBuf, (FileStamp, Digest)>,
}

impl Checked {
    fn is_known(&self, shared: &SharedFile, stamp: FileStamp) -> bool {
        self.known.get(&shared.path) == Some(&(stamp, shared.digest))
    }

    fn note(&mut self, shared: &SharedFile, stamp: FileStamp) {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known
            .insert(shared.path.clone(), (stamp, shared.digest));
    }
}

impl Share {
    /// Opens the file, if its bytes match its digest.
    pub(super) async fn open(self: &Arc<Self>, shared: &SharedFile) -> Option<File> {
        if let Some(file) = self.work(shared, Share::opened).await {
            return Some(file);
        }
        // The semaphore is never closed.
        let _turn = self.hashing.acquire().await.ok()?;
        self.work(shared, Share::hashed).await
    }

    async fn work(
        self: &Arc<Self>,
        shared: &SharedFile,
        how: fn(&Share, &SharedFile) -> Option<File>,
    ) -> Option<File> {
        let (share, shared) = (self.clone(), shared.clone());
        let work = move || how(&share, &shared);
        tokio::task::spawn_blocking(work).await.ok()?
    }

    /// Opens a file that was hashed before and is unchanged.
    fn opened(&self, shared: &SharedFile) -> Option<File> {
        let file = open_regular(&shared.path, Links::Refuse).ok()?;
        let stamp = FileStamp::of_file(&file)?;
        lock(&self.checked).is_known(shared, stamp).then_some(file)
    }

    fn hashed(&self, shared: &SharedFile) -> Option<File> {
        // Another request may have hashed the file while this one waited.
        self.opened(shared).or_else(|| match self.hash(shared) {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!("cannot share `{}`: {error}", shared.path.display());
                None
            }
        })
    }

    fn hash(&self, shared: &SharedFile) -> io::Result<Option<File>> {
        let mut file = open_regular(&shared.path, Links::Refuse)?;
        let before = FileStamp::of_file(&file);
        // One byte more shows that the file is larger.
        let (digest, size) = Digest::of_reader((&file).take(shared.size + 1))?;
        if (digest, size) != (shared.digest, shared.size) {
            tracing::warn!(
                "`{}` is not shared: it is {digest}, and {} was installed",
                shared.path.display(),
                shared.digest
            );
            return Ok(None);
        }
        if let Some(stamp) = before
            && stamp.is_settled()
            && FileStamp::of_file(&file) == before
        {
            lock(&self.checked).note(shared, stamp);
        }
        file.rewind()?;
        Ok(Some(file))
    }
}
