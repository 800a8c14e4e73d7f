//! Installed components on disk.
//!
//! A component directory appears, changes and vanishes in one rename, so a
//! crash leaves the old state or the new one. What is listed is read from
//! metadata alone; a component's bytes are only hashed when its stamp no
//! longer fits.

mod check;
mod compiled;
mod error;
mod hold;
mod kept;
mod layout;
mod metadata;
mod policy;
mod previous;
mod quarantine;
pub mod secrets;
mod staging;
mod stamp;
pub mod usage;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use crate::reference::{ComponentId, Reference};
use crate::schema::{Description, ToolRecord};
use crate::verify::Verified;

pub use compiled::UnusedCode;
pub use error::{StoreError, UnreadablePolicy};
pub use hold::Hold;
pub use kept::KeptFile;
pub use layout::{ComponentFiles, Layout};
pub use metadata::{ComponentInfo, Digests, Metadata, ValidationStamp};
pub use policy::{GrantRecord, Granted, Grantor, Origin, PolicyRecord, RequestSource, Standing};
pub use previous::WentBack;
pub use secrets::{SecretError, SecretKey, SecretStamp, SecretStore, Secrets};
pub use staging::{Staging, is_unfinished};
pub use stamp::FileStamp;

/// The components under one root.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
}

/// A component that is in place, with its files.
#[derive(Debug, Clone)]
pub struct Installed {
    pub metadata: Metadata,
    pub files: ComponentFiles,
}

/// One directory under `components/`.
#[derive(Debug)]
pub enum Entry {
    Sound(Box<Installed>),
    /// Not served; the reason is for the user.
    Damaged {
        id: ComponentId,
        damage: Damage,
        reason: String,
    },
}

/// What of a component is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes are not those that were installed.
    Content,
    /// What is known of it, in both copies.
    Records,
}

/// What becomes a component directory.
pub struct Installation {
    pub id: ComponentId,
    pub verified: Verified,
    pub description: Description,
    pub tools: Vec<ToolRecord>,
    /// The permissions that the artifact asks for.
    pub requested_permissions: Option<Value>,
}

/// A component directory that is complete but not yet in its place.
pub struct Prepared {
    staging: Staging,
    pub metadata: Metadata,
    pub files: ComponentFiles,
}

impl Store {
    /// Looks at a root without creating anything.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Store {
            layout: Layout::new(root),
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The secrets of the components of this root.
    pub fn secrets(&self) -> SecretStore {
        SecretStore::new(&self.layout)
    }

    /// Makes an empty directory for a load, creating the root at first use.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        create_private(&self.layout.components())?;
        Staging::create(&self.layout)
    }

    /// Removes what dead processes left, and code that is long unused, and
    /// returns the removed paths.
    pub fn sweep(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut swept = staging::sweep(&self.layout)?;
        swept.extend(self.sweep_compiled());
        Ok(swept)
    }

    /// Every component directory, in the order in which they were installed.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let mut found: Vec<Entry> = self
            .ids()?
            .iter()
            .filter_map(|id| self.entry(id).transpose())
            .collect::<Result<_, _>>()?;
        found.sort_by(|a, b| a.age().cmp(&b.age()));
        Ok(found)
    }

    /// The names of the component directories, whatever is in them.
    pub fn ids(&self) -> Result<Vec<ComponentId>, StoreError> {
        let components = self.layout.components();
        let entries = match fs::read_dir(&components) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(StoreError::io("list", &components))?,
        };
        Ok(entries
            .flatten()
            .filter_map(|entry| ComponentId::parse(entry.file_name().to_str()?).ok())
            .collect())
    }

    /// One component, if there is one by this id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when its directory cannot be trusted.
    pub fn get(&self, id: &ComponentId) -> Result<Option<Installed>, StoreError> {
        match self.entry(id)? {
            None => Ok(None),
            Some(Entry::Sound(installed)) => Ok(Some(*installed)),
            Some(Entry::Damaged { id, reason, .. }) => Err(StoreError::Damaged { id, reason }),
        }
    }

    /// Lays out a component directory in its staging directory.
    ///
    /// # Errors
    ///
    /// Whatever the disk refuses; nothing is visible yet.
    pub fn prepare(
        &self,
        staging: Staging,
        installation: Installation,
    ) -> Result<Prepared, StoreError> {
        let Installation {
            id,
            verified,
            description,
            tools,
            requested_permissions,
        } = installation;
        let (fetched, trust) = verified.into_parts();
        let files = ComponentFiles::within(staging.path().join("component"), &id);
        create_private(&files.dir)?;
        fs::rename(&fetched.component.path, &files.wasm)
            .map_err(StoreError::io("move", &files.wasm))?;
        sync(&files.wasm)?;
        let kept = kept::keep(fetched.artifact.as_ref(), &files)?;
        let metadata = Metadata {
            format: metadata::FORMAT,
            component_id: id,
            created_at: Timestamp::now(),
            source: fetched.reference,
            identity: fetched.identity,
            digests: Digests {
                component: fetched.component.digest,
                manifest: fetched.artifact.map(|artifact| artifact.manifest_digest),
            },
            trust,
            receipt: fetched.receipt,
            validation_stamp: ValidationStamp::of(&files.wasm, fetched.component.digest)
                .map_err(StoreError::io("read", &files.wasm))?,
            tools,
            component_info: ComponentInfo {
                world: description.world,
                exports: description.exports,
                imports: description.imports,
            },
            requested_permissions,
            kept,
        };
        metadata
            .write_both(&files)
            .map_err(StoreError::io("write", &files.metadata))?;
        sync(&files.dir)?;
        Ok(Prepared {
            staging,
            metadata,
            files,
        })
    }

    /// Puts a prepared component in place, replacing the one of the same id,
    /// whose grants it keeps.
    ///
    /// # Errors
    ///
    /// [`StoreError::IdTaken`] when the id belongs to another source; the old
    /// component is then untouched, as it is by every other error.
    pub fn install(&self, prepared: Prepared) -> Result<Installed, StoreError> {
        let Prepared {
            staging,
            metadata,
            files: staged,
        } = prepared;
        let id = &metadata.component_id;
        let files = self.layout.component(id);
        let lock = staging::exclusive(&self.layout.lock())?;
        self.owned_by(id, &metadata.source)?;
        let failed = || StoreError::io("install into", &files.dir);
        if files.dir.exists() {
            policy::carry(&files, &staged)?;
            let is_a_way_back = is_another(&files, &metadata);
            let old = replace(&staged.dir, &files.dir).map_err(failed())?;
            sync(&self.layout.components())?;
            if is_a_way_back {
                self.keep_previous(&old, id);
            }
        } else {
            fs::rename(&staged.dir, &files.dir).map_err(failed())?;
            sync(&self.layout.components())?;
        }
        drop(lock);
        // Takes the version before the replaced one along; mapped code lives on.
        drop(staging);
        Ok(Installed { metadata, files })
    }

    /// Refuses an id that belongs to another source.
    pub fn owned_by(&self, id: &ComponentId, source: &Reference) -> Result<(), StoreError> {
        match Metadata::read(&self.layout.component(id).metadata) {
            Ok(metadata) if !metadata.source.same_source(source) => Err(StoreError::IdTaken {
                id: id.clone(),
                owner: metadata.source.shown(),
            }),
            // A damaged component may be replaced: that is how it is mended.
            _ => Ok(()),
        }
    }

    /// Notes that the same bytes were found at their source again.
    pub fn refresh(&self, installed: &Installed) -> Result<(), StoreError> {
        let files = &installed.files;
        let _lock = staging::exclusive(&self.layout.lock())?;
        installed
            .metadata
            .write_both(files)
            .map_err(StoreError::io("write", &files.metadata))
    }

    /// Takes a component away, whatever its state.
    pub fn remove(&self, id: &ComponentId) -> Result<(), StoreError> {
        let files = self.layout.component(id);
        if !files.dir.is_dir() {
            return Err(StoreError::NotInstalled { id: id.clone() });
        }
        let staging = self.stage()?;
        let _lock = staging::exclusive(&self.layout.lock())?;
        fs::rename(&files.dir, staging.path().join("removed"))
            .map_err(StoreError::io("remove", &files.dir))?;
        sync(&self.layout.components())?;
        // Whoever loads it again begins anew.
        let _ = fs::rename(
            self.layout.previous(id).dir,
            staging.path().join("previous"),
        );
        Ok(())
    }
}

impl Entry {
    pub fn id(&self) -> &ComponentId {
        match self {
            Entry::Sound(installed) => &installed.metadata.component_id,
            Entry::Damaged { id, .. } => id,
        }
    }

    fn age(&self) -> (Timestamp, &ComponentId) {
        match self {
            Entry::Sound(installed) => (installed.metadata.created_at, self.id()),
            Entry::Damaged { id, .. } => (Timestamp::MAX, id),
        }
    }
}

/// Whether a sound component of other bytes than the new one's is in place.
fn is_another(files: &ComponentFiles, new: &Metadata) -> bool {
    Metadata::read(&files.metadata).is_ok_and(|old| {
        old.digests.component != new.digests.component
            && old.validation_stamp.matches(&files.wasm).unwrap_or(false)
    })
}

/// Puts a directory in place of another, in one step where the system can, and
/// returns where the other is now.
fn replace(staged: &Path, place: &Path) -> io::Result<PathBuf> {
    if exchange(staged, place)? == Exchanged::Yes {
        return Ok(staged.to_owned());
    }
    let aside = staged.with_extension("old");
    fs::rename(place, &aside)?;
    fs::rename(staged, place)?;
    Ok(aside)
}

#[derive(Debug, PartialEq, Eq)]
enum Exchanged {
    Yes,
    /// This system or filesystem cannot; nothing was changed.
    No,
}

/// Lets two directories change places in one step.
fn exchange(staged: &Path, place: &Path) -> io::Result<Exchanged> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, staged, CWD, place, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(Exchanged::Yes),
            Err(Errno::INVAL | Errno::NOSYS) => Ok(Exchanged::No),
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    {
        let _ = (staged, place);
        Ok(Exchanged::No)
    }
}

/// Creates a directory, and those above it, for this user alone.
fn create_private(dir: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(StoreError::io("create", dir))
}

/// Forces a file's bytes, or a directory's entries, to disk.
fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(StoreError::io("sync", path))
}
