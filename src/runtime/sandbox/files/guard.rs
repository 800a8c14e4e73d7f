//! Asks the rules about real paths, and notes what they refuse.

use std::path::Path;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errors::Result;
use super::roots::Roots;
use crate::policy::{Access, StorageRules};
use crate::runtime::sandbox::{DenialKind, Denials};

#[derive(Clone, Copy)]
pub(super) struct Guard<'a> {
    pub rules: &'a StorageRules,
    pub roots: &'a Roots,
    pub denials: &'a Denials,
}

impl Guard<'_> {
    pub fn access(&self, path: &Path) -> Access {
        self.rules.access(path)
    }

    /// Whether something at or below the path is granted; all else might as
    /// well not be there, and is not looked at.
    pub fn is_visible(&self, path: &Path) -> bool {
        !self.access(path).is_none() || self.leads_to_grant(path)
    }

    pub fn leads_to_grant(&self, path: &Path) -> bool {
        self.rules.leads_to_grant(path).is_allowed()
    }

    /// # Errors
    ///
    /// `not-permitted`, noted, unless all of `needed` is granted.
    pub fn require(&self, path: &Path, needed: Access) -> Result<()> {
        let missing = needed - self.access(path);
        if missing.is_none() {
            return Ok(());
        }
        Err(self.deny(path, missing))
    }

    /// Both modes for all that is or may ever be in a directory.
    pub fn require_tree(&self, path: &Path) -> Result<()> {
        if self.rules.whole_tree(path, Access::READ_WRITE).is_allowed() {
            return Ok(());
        }
        Err(self.deny(&path.join("**"), Access::READ_WRITE))
    }

    /// Notes a denial, and gives the one error there is for all of them: it
    /// tells nothing of what is or is not there.
    pub fn deny(&self, path: &Path, missing: Access) -> ErrorCode {
        for mode in missing.modes() {
            let kind = if mode == Access::WRITE {
                DenialKind::Write
            } else {
                DenialKind::Read
            };
            self.denials.record(kind, &path.to_string_lossy());
        }
        ErrorCode::NotPermitted
    }
}
