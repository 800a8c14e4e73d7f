//! The renames that make prepared changes visible, and their undoing when one fails.

use std::io;
use std::path::PathBuf;

use super::Ready;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::journal::{Journal, Kind, Step};
use crate::store::replace::{self, Fate};

/// The rename that makes a prepared change visible.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Appear,
    Replace(Fate),
    Vanish,
}

/// A change that was not made.
pub(super) struct NotMade {
    pub(super) error: StoreError,
    pub(super) undone: Undone,
}

impl NotMade {
    pub(super) fn undone(error: StoreError) -> Self {
        NotMade {
            error,
            undone: Undone::Yes,
        }
    }
}

#[derive(PartialEq, Eq)]
pub(super) enum Undone {
    Yes,
    /// The next process that takes the root's lock undoes the change.
    No,
}

impl Store {
    /// Does the renames. Returns the paths of the replaced directories.
    pub(super) fn make(
        &self,
        changes: &[Ready],
        ways: &[Way],
        step: &mut impl FnMut(usize) -> io::Result<()>,
    ) -> Result<Vec<PathBuf>, NotMade> {
        let layout = &self.layout;
        let journal = match changes {
            [] => return Ok(Vec::new()),
            [_] => None,
            changes => {
                let steps = changes.iter().zip(ways);
                let steps = steps.map(|(change, way)| Step {
                    component: change.id.clone(),
                    staging: change.staging.name(),
                    kind: match way {
                        Way::Appear => Kind::Appears,
                        Way::Replace(_) => Kind::IsReplaced {
                            inode: replace::inode(&layout.component(&change.id).dir)
                                .unwrap_or_default(),
                        },
                        Way::Vanish => Kind::Vanishes,
                    },
                });
                Some(Journal::new(steps.collect()))
            }
        };
        let failed = |error: io::Error| StoreError::io("change", layout.components())(error);
        let mut make = || {
            if let Some(journal) = &journal {
                journal.write(layout)?;
            }
            step(0)?;
            let mut replaced = Vec::new();
            for (nth, (change, way)) in changes.iter().zip(ways).enumerate() {
                let place = layout.component(&change.id).dir;
                replaced.push(match way {
                    Way::Appear => replace::appear(change.staging.path(), &place),
                    Way::Replace(_) => replace::swap(change.staging.path(), &place),
                    Way::Vanish => replace::vanish(change.staging.path(), &place),
                }?);
                step(nth + 1)?;
            }
            crate::file::sync(&layout.components())?;
            if journal.is_some() {
                Journal::done(layout)?;
            }
            Ok(replaced)
        };
        make().map_err(|error| {
            let undone = match &journal {
                None => Undone::Yes,
                Some(journal) => match journal.undo(layout) {
                    Ok(()) => Undone::Yes,
                    Err(error) => {
                        tracing::warn!("a change that failed could not be undone yet: {error}");
                        Undone::No
                    }
                },
            };
            NotMade {
                error: failed(error),
                undone,
            }
        })
    }
}
