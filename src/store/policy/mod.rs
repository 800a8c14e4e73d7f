//! What is granted to a component: its policy, and who granted what.
//!
//! The two files change in one step, together: the component's directory is
//! copied with hard links, the copy gets the new files, and the two change
//! places. The root's lock is held from reading to writing, so that of two
//! processes neither loses what the other granted.

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

pub(super) use place::{carry, follow_code, give};

/// More is not read, in bytes; the policy's own limit is below it.
const MAX_POLICY: u64 = 4 << 20;

/// What a component is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    pub policy: Policy,
    pub record: PolicyRecord,
}

/// A component's grants as they stand while they are changed.
pub struct Standing {
    /// An error when the policy cannot be read.
    pub granted: Result<Granted, StoreError>,
    /// Absent when the component is damaged.
    pub component: Option<Box<Metadata>>,
}

impl Granted {
    /// These grants changed to `policy`: what is new in it was granted by
    /// `grantor`.
    pub fn changed(mut self, policy: Policy, grantor: &Grantor) -> Self {
        self.record.follow(&policy, grantor);
        self.policy = policy;
        self
    }
}

impl Store {
    /// What a component is granted: nothing, without a policy.
    ///
    /// # Errors
    ///
    /// [`StoreError::Policy`] when there is one that cannot be read; it grants
    /// nothing then.
    pub fn granted(&self, id: &ComponentId) -> Result<Granted, StoreError> {
        granted(&self.layout.component(id), id)
    }

    /// Whether the record of who granted what can be read; without one,
    /// nothing is recorded.
    ///
    /// # Errors
    ///
    /// Why it cannot: grants hold all the same.
    pub fn check_record(&self, id: &ComponentId) -> io::Result<()> {
        record::check(&self.layout.component(id).policy_record)
    }

    /// Changes what a component is granted, in one step that no other process
    /// can come between. `change` is given how things stand; its error leaves
    /// them so.
    ///
    /// # Errors
    ///
    /// That of `change`, or of the disk; the old grants are then in force.
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
        // Before the lock, which making a staging directory takes too.
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
        // Takes the directory that was replaced along.
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
