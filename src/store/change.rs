//! Changes several components together: all of them, or none.
//!
//! Everything that takes time or disk space happens in staging directories. Only one rename per
//! component remains; it happens under the root's lock, and a journal records how to undo the
//! renames. A change of a single component needs no journal: its one rename is the change.

mod renames;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use super::error::StoreError;
use renames::{NotMade, Undone, Way};

use super::install::{Owner, Prepared, is_another};
use super::names::Coming;
use super::replace::{self, Fate};
use super::staging::{Removed, Staging};
use super::{
    ComponentFiles, Granted, Grantor, Installed, Metadata, Rules, Store, disk, policy, rules,
};
use crate::policy::Policy;
use crate::reference::ComponentId;

/// A requested change of one component.
#[allow(clippy::large_enum_variant, reason = "most are installs")]
pub enum Change {
    /// Installs this version, replacing the installed one if there is one.
    Install {
        prepared: Prepared,
        grants: Grants,
        rules: Rules,
    },
    /// Keeps the version, and changes its grants or its tool rules.
    Settle {
        id: ComponentId,
        grants: Grants,
        rules: Rules,
    },
    /// Removes the component and its previous version, and reserves its tool names.
    Remove { id: ComponentId },
}

/// The grants of a version that is being installed.
#[derive(Debug, Clone)]
pub enum Grants {
    /// The grants of the replaced version, if both are known to have the same source.
    Kept,
    /// This policy, replacing all earlier grants.
    Given {
        policy: Box<Policy>,
        grantor: Grantor,
    },
}

/// A change and its staging directory.
struct Ready {
    id: ComponentId,
    staging: Staging,
    what: What,
}

#[allow(clippy::large_enum_variant, reason = "most are installs")]
enum What {
    Install {
        metadata: Metadata,
        grants: Grants,
        rules: Rules,
    },
    Settle {
        metadata: Box<Metadata>,
        grants: Grants,
        rules: Rules,
    },
    Remove,
}

impl Store {
    /// Makes all of these changes, each to another component, or none, and returns the installed
    /// components. The caller must hold the components' locks.
    ///
    /// # Errors
    ///
    /// [`StoreError::IdTaken`] when an id belongs to another source, [`StoreError::UnfitRules`]
    /// when rules cannot be applied, [`StoreError::NotInstalled`] when a component to change or
    /// remove does not exist, or a disk error. Nothing is changed then.
    pub fn change_all(&self, changes: Vec<Change>) -> Result<Vec<Installed>, StoreError> {
        self.change_all_with(changes, |_| Ok(()))
    }

    /// Like [`Store::change_all`]; calls `step` before the first rename and after each.
    pub(super) fn change_all_with(
        &self,
        changes: Vec<Change>,
        mut step: impl FnMut(usize) -> io::Result<()>,
    ) -> Result<Vec<Installed>, StoreError> {
        // Before taking the root's lock, which creating a staging directory takes, too.
        let changes = changes.into_iter().map(|change| self.begin(change));
        let changes: Vec<Ready> = changes.collect::<Result<_, _>>()?;
        let lock = self.lock()?;
        let owners = changes.iter().map(|change| self.check(change));
        let owners: Vec<Owner> = owners.collect::<Result<_, _>>()?;
        let names = self.record_names(&coming(&changes), &going(&changes))?;
        let mut orphans = Vec::new();
        let ways = changes.iter().zip(owners);
        let ways = ways.map(|(change, owner)| self.make_ready(change, owner, &mut orphans));
        let made = ways
            .collect::<Result<Vec<_>, _>>()
            .map_err(NotMade::undone)
            .and_then(|ways| Ok((self.make(&changes, &ways, &mut step)?, ways)));
        let (replaced, ways) = match made {
            Ok(made) => made,
            Err(NotMade { error, undone }) => {
                // If this write fails, the next change corrects the record.
                let _ = names.write(&self.layout);
                if undone == Undone::No {
                    // They hold the replaced versions, which the undo still needs.
                    changes
                        .into_iter()
                        .for_each(|change| change.staging.leave());
                }
                return Err(error);
            }
        };
        for ((change, way), replaced) in changes.iter().zip(&ways).zip(replaced) {
            self.finish(change, *way, replaced, &mut orphans);
        }
        drop((lock, orphans));
        let installed = changes.into_iter().filter_map(|change| {
            let files = self.layout.component(&change.id);
            match change.what {
                What::Install { metadata, .. } => Some(Installed { metadata, files }),
                What::Settle { .. } | What::Remove => None,
            }
        });
        // This removes the staging directories, and with them the oldest versions. A process that
        // has their code mapped can still use it.
        Ok(installed.collect())
    }

    fn begin(&self, change: Change) -> Result<Ready, StoreError> {
        Ok(match change {
            Change::Install {
                prepared,
                grants,
                rules,
            } => Ready {
                id: prepared.metadata.component_id.clone(),
                staging: prepared.staging,
                what: What::Install {
                    metadata: prepared.metadata,
                    grants,
                    rules,
                },
            },
            Change::Settle { id, grants, rules } => {
                let files = self.layout.component(&id);
                if !files.dir.is_dir() {
                    return Err(StoreError::NotInstalled { id });
                }
                let metadata =
                    Metadata::read_either(&files).map_err(|error| StoreError::Damaged {
                        id: id.clone(),
                        reason: format!("its metadata cannot be read ({error})"),
                    })?;
                Ready {
                    id,
                    staging: self.stage()?,
                    what: What::Settle {
                        metadata: Box::new(metadata),
                        grants,
                        rules,
                    },
                }
            }
            Change::Remove { id } => Ready {
                id,
                staging: self.stage()?,
                what: What::Remove,
            },
        })
    }

    fn check(&self, change: &Ready) -> Result<Owner, StoreError> {
        let Ready { id, what, .. } = change;
        match what {
            What::Install { metadata, .. } => self.owner(id, &metadata.source),
            What::Settle { .. } | What::Remove if !self.layout.component(id).dir.is_dir() => {
                Err(StoreError::NotInstalled { id: id.clone() })
            }
            What::Settle { .. } | What::Remove => Ok(Owner::Same),
        }
    }

    /// Does everything that can be done before the renames.
    fn make_ready(
        &self,
        change: &Ready,
        owner: Owner,
        orphans: &mut Vec<Removed>,
    ) -> Result<Way, StoreError> {
        let Ready { id, staging, what } = change;
        let files = self.layout.component(id);
        let staged = replace::staged(staging, id);
        let is_there = files.dir.exists();
        let way = match what {
            What::Remove => Way::Vanish,
            What::Settle { grants, rules, .. } => {
                replace::link_all(&files, &staged).map_err(StoreError::io("copy", &files.dir))?;
                rules::give(rules, Some(&files), &staged)?;
                // Both branches sync the directory, too.
                match grants {
                    Grants::Given { policy, grantor } => {
                        policy::give(&self.granted_by(id, policy, grantor), &files, &staged)?;
                    }
                    Grants::Kept => policy::carry(&files, &staged)?,
                }
                Way::Replace(Fate::Removed)
            }
            What::Install {
                metadata,
                grants,
                rules,
            } => {
                if !is_there || owner == Owner::Unknown {
                    // The previous version may have another source, so a rollback must not bring
                    // it back.
                    let previous = self.layout.previous(id).dir;
                    orphans.extend(Removed::take(&self.layout, &previous)?);
                }
                // Rules only take tools away, so they are kept even if the source may differ.
                rules::give(rules, is_there.then_some(&files), &staged)?;
                match grants {
                    Grants::Given { policy, grantor } => {
                        let granted = match owner {
                            Owner::Same => self.granted_by(id, policy, grantor),
                            Owner::Unknown => {
                                Granted::default().changed((**policy).clone(), grantor)
                            }
                        };
                        policy::give(&granted, &files, &staged)?;
                    }
                    Grants::Kept if is_there && owner == Owner::Same => {
                        policy::carry(&files, &staged)?;
                    }
                    Grants::Kept => disk::sync(&staged.dir)?,
                }
                match is_there {
                    false => Way::Appear,
                    true if is_another(&files, metadata) => Way::Replace(Fate::Kept),
                    true => Way::Replace(Fate::Removed),
                }
            }
        };
        if let Way::Replace(fate) = way {
            self.announce(staging, id, fate)?;
        }
        Ok(way)
    }

    /// Returns the grants of a component with `policy` in place of theirs. Keeps the records of
    /// grants that were made by the same means.
    fn granted_by(&self, id: &ComponentId, policy: &Policy, grantor: &Grantor) -> Granted {
        let mut granted = self.granted(id).unwrap_or_default();
        granted.record.keep_those_of(grantor.origin);
        granted.changed(policy.clone(), grantor)
    }

    /// Does the work that remains after the change is made; its failure is no error.
    fn finish(&self, change: &Ready, way: Way, replaced: PathBuf, orphans: &mut Vec<Removed>) {
        let Ready { id, staging, what } = change;
        match way {
            Way::Appear => {}
            Way::Replace(fate) => {
                if matches!(what, What::Settle { .. }) {
                    policy::follow_code(
                        &ComponentFiles::within(replaced.clone(), id),
                        &self.layout.component(id),
                    );
                }
                self.end_replacement(staging, id, fate, &replaced);
            }
            Way::Vanish => {
                let previous = self.layout.previous(id).dir;
                orphans.extend(Removed::take(&self.layout, &previous).unwrap_or_default());
            }
        }
    }
}

fn coming(changes: &[Ready]) -> Vec<Coming<'_>> {
    let coming = changes.iter().filter_map(|change| {
        let (metadata, rules) = match &change.what {
            What::Install {
                metadata, rules, ..
            } => (metadata, rules),
            What::Settle {
                metadata, rules, ..
            } => (&**metadata, rules),
            What::Remove => return None,
        };
        Some(Coming { metadata, rules })
    });
    coming.collect()
}

fn going(changes: &[Ready]) -> Vec<&ComponentId> {
    let removed = changes
        .iter()
        .filter(|change| matches!(change.what, What::Remove));
    removed.map(|change| &change.id).collect()
}
