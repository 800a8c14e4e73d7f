//! Files are hashed before they are given, and again when they have changed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;
use crate::store::FileStamp;

use super::shelf::Page;
use super::{Share, lock};

/// More are never kept in mind; those of components long gone among them.
const MAX_KNOWN: usize = 16 * 1024;

/// The files that were hashed, as they were then.
#[derive(Debug, Default)]
pub struct Checked {
    known: HashMap<PathBuf, (FileStamp, Digest)>,
}

impl Checked {
    fn is_known(&self, page: &Page, stamp: FileStamp) -> bool {
        self.known.get(&page.path) == Some(&(stamp, page.digest))
    }

    fn note(&mut self, page: &Page, stamp: FileStamp) {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(page.path.clone(), (stamp, page.digest));
    }
}

impl Share {
    /// The file, if its bytes are what they should be.
    pub(super) async fn open(self: &Arc<Self>, page: &Page) -> Option<File> {
        if let Some(file) = self.work(page, Share::opened).await {
            return Some(file);
        }
        // The semaphore is never closed.
        let _turn = self.hashing.acquire().await.ok()?;
        self.work(page, Share::hashed).await
    }

    async fn work(
        self: &Arc<Self>,
        page: &Page,
        how: fn(&Share, &Page) -> Option<File>,
    ) -> Option<File> {
        let (share, page) = (self.clone(), page.clone());
        let work = move || how(&share, &page);
        tokio::task::spawn_blocking(work).await.ok()?
    }

    /// A file that was hashed before, and is unchanged.
    fn opened(&self, page: &Page) -> Option<File> {
        let file = open(&page.path).ok()?;
        let stamp = FileStamp::of_file(&file)?;
        lock(&self.checked).is_known(page, stamp).then_some(file)
    }

    fn hashed(&self, page: &Page) -> Option<File> {
        // Another request may have waited for the same file.
        self.opened(page).or_else(|| match self.hash(page) {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!("cannot share `{}`: {error}", page.path.display());
                None
            }
        })
    }

    fn hash(&self, page: &Page) -> io::Result<Option<File>> {
        let mut file = open(&page.path)?;
        let before = FileStamp::of_file(&file);
        let (digest, size) = Digest::of_reader(&file)?;
        if (digest, size) != (page.digest, page.size) {
            tracing::warn!(
                "`{}` is not shared: it is {digest}, and {} was installed",
                page.path.display(),
                page.digest
            );
            return Ok(None);
        }
        if let Some(stamp) = before
            && stamp.is_settled()
            && FileStamp::of_file(&file) == before
        {
            lock(&self.checked).note(page, stamp);
        }
        file.rewind()?;
        Ok(Some(file))
    }
}

/// Opens nothing but files: a named pipe would wait for its writer.
fn open(path: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    File::open(path)
}
