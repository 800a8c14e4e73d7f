//! Checks real paths against the rules, and records denials.

use std::path::Path;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errors::Result;
use super::quota::Usage;
use super::roots::Roots;
use super::withheld::Withheld;
use crate::policy::{Access, Decision, Reason, StorageRules};
use crate::runtime::sandbox::{DenialKind, Denials};

#[derive(Clone, Copy)]
pub(super) struct Guard<'a> {
    pub rules: &'a StorageRules,
    pub roots: &'a Roots,
    pub withheld: &'a Withheld,
    pub denials: &'a Denials,
    pub usage: &'a Usage,
}

impl Guard<'_> {
    pub fn access(&self, path: &Path) -> Access {
        if self.withheld.holds(path) {
            return Access::NONE;
        }
        self.rules.access(path)
    }

    /// Whether something at or below the path is granted. Other paths are treated as
    /// if they did not exist, and are never looked at.
    pub fn is_visible(&self, path: &Path) -> bool {
        !self.access(path).is_none() || self.leads_to_grant(path)
    }

    pub fn leads_to_grant(&self, path: &Path) -> bool {
        !self.withheld.holds(path) && self.rules.leads_to_grant(path)
    }

    /// # Errors
    ///
    /// `not-permitted`, recorded as a denial, unless all of `needed` is granted.
    pub fn require(&self, path: &Path, needed: Access) -> Result<()> {
        let missing = needed - self.access(path);
        if missing.is_none() {
            return Ok(());
        }
        Err(self.deny(path, missing))
    }

    /// Requires read and write for everything that is or may ever be in a directory.
    pub fn require_tree(&self, path: &Path) -> Result<()> {
        match self.rules.whole_tree(path, Access::READ_WRITE) {
            Decision::Allowed => Ok(()),
            Decision::Denied(reason) => {
                Err(self.note(&path.join("**"), Access::READ_WRITE, reason))
            }
        }
    }

    /// Records the denial of an access that the rules do not allow.
    pub fn deny(&self, path: &Path, missing: Access) -> ErrorCode {
        if self.withheld.holds(path) {
            return self.never(path, missing);
        }
        let by_rule = missing & self.rules.denied(path);
        self.note(path, missing - by_rule, Reason::NotGranted);
        self.note(path, by_rule, Reason::DeniedByRule)
    }

    /// Records a denial and returns the error, which is always the same, so that it
    /// does not tell whether the path exists.
    pub fn note(&self, path: &Path, missing: Access, reason: Reason) -> ErrorCode {
        for mode in missing.modes() {
            let kind = if mode == Access::WRITE {
                DenialKind::Write
            } else {
                DenialKind::Read
            };
            self.denials.record(kind, &path.to_string_lossy(), reason);
        }
        ErrorCode::NotPermitted
    }
}
