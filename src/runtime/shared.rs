//! Compiled code that components with the same bytes share.
//!
//! `compiled/<component>-<engine>.cwasm` and the `.cwasm` of each such component are
//! hard links to one file. The name determines the content and files appear only by
//! rename, so no lock is needed. Shared code is verified when it is loaded, like any
//! other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cache::Key;
use crate::digest::Digest;
use crate::file::create_private;
use crate::store::Layout;

/// Shared code, found by its component and engine.
pub(super) struct Shared {
    layout: Layout,
}

impl Shared {
    pub fn new(layout: Layout) -> Self {
        Shared { layout }
    }

    /// Returns the path of the shared code for this key, whether or not it exists.
    pub fn place(&self, key: &Key) -> PathBuf {
        self.layout.compiled_code(&key.component, &key.engine)
    }

    /// Links the shared code to `cwasm`, so that it counts as in use.
    pub fn adopt(&self, key: &Key, cwasm: &Path) {
        if let Err(error) = link(&self.place(key), cwasm) {
            tracing::debug!("cannot link `{}`: {error}", cwasm.display());
        }
    }

    /// Shares the code at `cwasm` with other components.
    pub fn offer(&self, key: &Key, cwasm: &Path) -> io::Result<()> {
        create_private(&self.layout.compiled())?;
        link(cwasm, &self.place(key))
    }
}

/// Baseline code: one file per component, for any engine, until there is optimised code.
impl Shared {
    pub fn baseline(&self, component: Digest) -> PathBuf {
        self.layout.baseline_code(&component)
    }

    /// Moves code to the path where the next start of this program finds it.
    pub fn keep_baseline(&self, component: Digest, code: &Path) -> io::Result<()> {
        create_private(&self.layout.compiled())?;
        fs::rename(code, self.baseline(component))
    }

    /// Removes the baseline code. Running calls have it mapped and are not affected.
    pub fn forget_baseline(&self, component: Digest) {
        if let Err(error) = fs::remove_file(self.baseline(component))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("cannot remove baseline code: {error}");
        }
    }
}

/// Makes `to` a hard link to `from`, replacing an existing file.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(Path::new("."));
    let unfinished = tempfile::Builder::new()
        .make_in(directory, |path| fs::hard_link(from, path))?
        .into_temp_path();
    unfinished.persist(to).map_err(|error| error.error)
}
