//! The grants of a component: its policy, and the record of who granted what.
//!
//! Both files change in one step: the component's directory is copied with hard
//! links, the copy gets the new files, and the two directories are exchanged. The
//! root's lock is held from reading to writing, so that concurrent changes by two
//! processes are not lost.

mod place;
mod record;

use std::fs;
use std::io::{self, Read as _};

use super::disk::{is_foreign, ours_alone, sync};
use super::error::{StoreError, UnreadablePolicy};
use super::layout::ComponentFiles;
use super::{Metadata, Store, replace};
use crate::file::{Links, open_regular};
use crate::policy::Policy;
use crate::reference::ComponentId;

pub use record::{GrantRecord, Grantor, Origin, PolicyRecord, RequestSource};

pub(super) use place::{carry, carry_one, follow_code, give, write_private};

/// Largest policy file that is read, in bytes; the parser's own limit is lower.
const MAX_POLICY: u64 = 4 << 20;

/// The grants of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    pub policy: Policy,
    pub record: PolicyRecord,
}

/// The grants of a component at the moment they are changed.
pub struct Standing {
    /// An error when the policy cannot be read.
    pub granted: Result<Granted, StoreError>,
    /// Absent when the component is damaged.
    pub component: Option<Box<Metadata>>,
}

impl Granted {
    /// Replaces the policy of these grants by `policy`; permissions that are new in it
    /// are recorded as granted by `grantor`.
    pub fn changed(mut self, policy: Policy, grantor: &Grantor) -> Self {
        self.record.follow(&policy, grantor);
        self.policy = policy;
        self
    }
}

impl Store {
    /// Returns the grants of a component; none without a policy file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Policy`] when the policy cannot be read; it then grants nothing.
    pub fn granted(&self, id: &ComponentId) -> Result<Granted, StoreError> {
        granted(&self.layout.component(id), id)
    }

    /// Checks that the record of who granted what can be read; a missing one is fine.
    ///
    /// # Errors
    ///
    /// Why it cannot be read. The grants are in force all the same.
    pub fn check_record(&self, id: &ComponentId) -> io::Result<()> {
        record::check(&self.layout.component(id).policy_record)
    }

    /// Changes the grants of a component in one step, under the root's lock. `change`
    /// gets the current grants and returns the new ones; if it fails, nothing
    /// changes.
    ///
    /// # Errors
    ///
    /// The error of `change`, or of the disk; the old grants then stay in force.
    pub fn change_grants<E: From<StoreError>>(
        &self,
        id: &ComponentId,
        change: impl FnOnce(Standing) -> Result<Granted, E>,
    ) -> Result<Granted, E> {
        let files = self.layout.component(id);
        let installed = || match files.dir.is_dir() {
            true => Ok(()),
            false => Err(StoreError::NotInstalled { id: id.clone() }),
        };
        self.settle_all();
        installed()?;
        // Before taking the root's lock: creating a staging directory takes it, too.
        let staging = self.stage()?;
        let lock = self.lock()?;
        installed()?;
        let before = granted(&files, id);
        let known = before.as_ref().ok().cloned();
        let after = change(Standing {
            granted: before,
            component: Metadata::read(&files.metadata).ok().map(Box::new),
        })?;
        if known.as_ref() != Some(&after) {
            let staged = replace::staged(&staging, id);
            place::place(&after, &files, &staged)?;
            sync(&self.layout.components())?;
        }
        drop(lock);
        // After the exchange the staging directory holds the old version, and removes
        // it.
        drop(staging);
        Ok(after)
    }
}

fn granted(files: &ComponentFiles, id: &ComponentId) -> Result<Granted, StoreError> {
    let policy = read(files).map_err(|source| StoreError::Policy {
        id: id.clone(),
        path: files.policy.clone(),
        source,
    })?;
    Ok(match policy {
        None => Granted::default(),
        Some(policy) => Granted {
            policy,
            record: PolicyRecord::read(&files.policy_record),
        },
    })
}

fn read(files: &ComponentFiles) -> Result<Option<Policy>, UnreadablePolicy> {
    let file = match open_regular(&files.policy, Links::Follow) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let dir = fs::metadata(&files.dir)?;
    if !ours_alone(&dir) || is_foreign(&file.metadata()?, &dir) {
        return Err(UnreadablePolicy::Foreign);
    }
    let mut text = String::new();
    file.take(MAX_POLICY).read_to_string(&mut text)?;
    Ok(Some(Policy::parse(&text)?))
}

#[cfg(test)]
mod tests;
