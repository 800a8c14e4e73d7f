//! The additional catalogs of a root: `catalogs.json` lists their sources in order, and
//! `catalogs/` holds the fetched copies.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Layout, Store, StoreError, disk};
use crate::digest::Digest;
use crate::file::{Links, read_text};
use crate::reference::Reference;

const FORMAT: u32 = 1;
/// Largest accepted size of `catalogs.json`, in bytes.
const LARGEST_LIST: u64 = 1 << 20;
/// Largest accepted entity tag, in bytes.
const LARGEST_TAG: u64 = 4 << 10;
/// Largest accepted catalog, in bytes.
pub const LARGEST_CATALOG: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    /// References, in lookup order.
    catalogs: Vec<String>,
}

impl Store {
    /// Returns the sources of the catalogs, in lookup order.
    ///
    /// # Errors
    ///
    /// When the list cannot be read, or a newer version wrote it.
    pub fn catalogs(&self) -> Result<Vec<Reference>, StoreError> {
        let path = self.layout().catalogs();
        let read = || {
            let text = match read_text(&path, LARGEST_LIST, Links::Refuse) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                text => text?,
            };
            let written: Written = serde_json::from_str(&text)?;
            if written.format != FORMAT {
                return Err(io::Error::other("another version of the program wrote it"));
            }
            let sources = written.catalogs.iter();
            sources
                .map(|source| source.parse().map_err(io::Error::other))
                .collect()
        };
        read().map_err(StoreError::io("read", &path))
    }

    /// Reads the text of a catalog: the file itself, or the fetched copy of a remote one.
    ///
    /// # Errors
    ///
    /// When it cannot be read or was never fetched.
    pub fn catalog_text(&self, source: &Reference) -> io::Result<String> {
        match source {
            Reference::File(path) => read_text(path, LARGEST_CATALOG as u64, Links::Follow),
            _ => read_text(&self.copy(source), LARGEST_CATALOG as u64, Links::Refuse),
        }
    }

    /// Returns the entity tag that the web server sent with the kept copy, if any.
    pub fn catalog_tag(&self, source: &Reference) -> Option<String> {
        let copy = self.copy(source);
        let is_there = fs::symlink_metadata(&copy).is_ok_and(|copy| copy.is_file());
        let tag = read_text(&copy.with_extension("etag"), LARGEST_TAG, Links::Refuse);
        tag.ok().filter(|_| is_there)
    }

    /// Appends a catalog to the list unless it is there already, and keeps its text and the entity
    /// tag that the web server sent with it.
    ///
    /// # Errors
    ///
    /// When the root cannot be written.
    pub fn add_catalog(
        &self,
        source: &Reference,
        text: &[u8],
        etag: Option<&str>,
    ) -> Result<(), StoreError> {
        let root = self.layout().root();
        fs::create_dir_all(root).map_err(StoreError::io("create", root))?;
        let _lock = self.lock()?;
        if !matches!(source, Reference::File(_)) {
            let copy = self.copy(source);
            let tag = copy.with_extension("etag");
            // Remove the tag first: a tag must never stand beside a text that it does not belong
            // to.
            disk::remove_file(&tag).map_err(StoreError::io("remove", &tag))?;
            write_whole(&copy, text)?;
            if let Some(etag) = etag {
                write_whole(&tag, etag.as_bytes())?;
            }
        }
        let mut sources = self.catalogs()?;
        if sources.contains(source) {
            return Ok(());
        }
        sources.push(source.clone());
        self.write_catalogs(&sources)
    }

    /// Removes a catalog from the list and returns whether it was there.
    ///
    /// # Errors
    ///
    /// When the root cannot be written.
    pub fn remove_catalog(&self, source: &Reference) -> Result<bool, StoreError> {
        if !self.catalogs()?.contains(source) {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let mut sources = self.catalogs()?;
        sources.retain(|listed| listed != source);
        self.write_catalogs(&sources)?;
        // A copy that cannot be removed does no harm.
        let copy = self.copy(source);
        let _ = fs::remove_file(copy.with_extension("etag"));
        let _ = fs::remove_file(copy);
        Ok(true)
    }

    /// Removes the fetched copies of all catalogs, which stay on the list. Returns the number of
    /// copies and their size in bytes.
    ///
    /// # Errors
    ///
    /// When the root cannot be written.
    pub fn clear_catalogs(&self) -> Result<(usize, u64), StoreError> {
        let directory = self.layout().catalog_copies();
        if !directory.is_dir() {
            return Ok((0, 0));
        }
        let _lock = self.lock()?;
        let (mut copies, mut bytes) = (0, 0);
        for path in disk::beginning_with("", &directory)? {
            let size = fs::symlink_metadata(&path).map_or(0, |file| file.len());
            disk::remove_file(&path).map_err(StoreError::io("remove", &path))?;
            copies += usize::from(path.extension().is_some_and(|kind| kind == "json"));
            bytes += size;
        }
        Ok((copies, bytes))
    }

    fn write_catalogs(&self, sources: &[Reference]) -> Result<(), StoreError> {
        let path = self.layout().catalogs();
        let written = Written {
            format: FORMAT,
            catalogs: sources.iter().map(ToString::to_string).collect(),
        };
        let text = serde_json::to_vec_pretty(&written).map_err(io::Error::from);
        write_whole(&path, &text.map_err(StoreError::io("write", &path))?)
    }

    fn copy(&self, source: &Reference) -> PathBuf {
        copy_of(self.layout(), source)
    }
}

fn copy_of(layout: &Layout, source: &Reference) -> PathBuf {
    let digest = Digest::of(source.to_string().as_bytes());
    layout
        .catalog_copies()
        .join(format!("{}.json", digest.hex()))
}

/// Replaces the file in one rename, so a crash leaves the old content or the new.
fn write_whole(path: &Path, text: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let directory = path.parent().unwrap_or(path);
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(StoreError::io("write", path))
}
