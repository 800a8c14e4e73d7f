//! Compiled code that components with the same bytes share.
//!
//! `compiled/<component>-<engine>.cwasm` and the `.cwasm` beside each such
//! component are links to one file. A key never changes its meaning, and files
//! are only ever put in place whole, so nothing here needs a lock. Whether the
//! code can be trusted is judged where it is loaded, as for any other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cache::Key;
use crate::digest::Digest;
use crate::file::create_private;
use crate::store::Layout;

/// Code by what it was made from and for.
pub(super) struct Shared {
    layout: Layout,
}

impl Shared {
    pub fn new(layout: Layout) -> Self {
        Shared { layout }
    }

    /// Where the code for this key is, if there is some.
    pub fn place(&self, key: &Key) -> PathBuf {
        self.layout.compiled_code(&key.component, &key.engine)
    }

    /// Links code that another component has to `cwasm`, so that it counts as
    /// in use.
    pub fn adopt(&self, key: &Key, cwasm: &Path) {
        if let Err(error) = link(&self.place(key), cwasm) {
            tracing::debug!("cannot link `{}`: {error}", cwasm.display());
        }
    }

    /// Lets other components have the code at `cwasm`.
    pub fn offer(&self, key: &Key, cwasm: &Path) -> io::Result<()> {
        create_private(&self.layout.compiled())?;
        link(cwasm, &self.place(key))
    }
}

/// Code of the first tier: one file for each component, whatever engine it is
/// for, until there is optimised code.
impl Shared {
    pub fn baseline(&self, component: Digest) -> PathBuf {
        self.layout.baseline_code(&component)
    }

    /// Moves code to where the next start of this program finds it.
    pub fn keep_baseline(&self, component: Digest, code: &Path) -> io::Result<()> {
        create_private(&self.layout.compiled())?;
        fs::rename(code, self.baseline(component))
    }

    /// Nothing is read from it any more: running calls have it mapped.
    pub fn forget_baseline(&self, component: Digest) {
        if let Err(error) = fs::remove_file(self.baseline(component))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!("cannot remove baseline code: {error}");
        }
    }
}

/// Links `from` to `to`, over what may be there.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let directory = to.parent().unwrap_or(Path::new("."));
    let unfinished = tempfile::Builder::new()
        .make_in(directory, |path| fs::hard_link(from, path))?
        .into_temp_path();
    unfinished.persist(to).map_err(|error| error.error)
}
