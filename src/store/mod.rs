//! Installed components on disk.
//!
//! A component directory appears, changes and vanishes in one rename, so a crash leaves the old
//! state or the new one. A list is read from metadata alone; a component's bytes are hashed only
//! when its stamp no longer matches.

mod catalogs;
mod change;
mod check;
mod compiled;
mod disk;
mod error;
mod evidence;
mod hold;
mod install;
mod journal;
mod kept;
mod layout;
mod metadata;
mod names;
mod policy;
mod previous;
mod quarantine;
mod replace;
mod rules;
pub mod secrets;
mod staging;
mod stamp;
pub mod usage;
mod wait;

use std::collections::HashSet;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::file::create_private;
use crate::reference::ComponentId;
use crate::schema::NameLength;

use disk::sync;
use rules::LocalRules;
use staging::Removed;

pub use catalogs::LARGEST_CATALOG;
pub use change::{Change, Grants};
pub use compiled::UnusedCode;
pub use disk::ours_alone;
pub use error::{StoreError, UnreadablePolicy};
pub use evidence::read_evidence;
pub use hold::Hold;
pub use install::{Installation, Prepared};
pub use kept::KeptFile;
pub use layout::{ComponentFiles, Layout};
pub use metadata::{ComponentInfo, Digests, Metadata, ValidationStamp};
pub use names::{FreedNames, Names, Offered, OfferedTool, ToolName};
pub use policy::{GrantRecord, Granted, Grantor, Origin, PolicyRecord, RequestSource, Standing};
pub use previous::WentBack;
pub use rules::Rules;
pub use secrets::{SecretError, SecretKey, SecretStore, Secrets};
pub use staging::{Staging, is_unfinished};
pub use stamp::FileStamp;
pub use wait::{Patience, SIGN_OF_LIFE, Wait, touch as touch_lock};

/// The components under one root.
#[derive(Debug, Clone)]
pub struct Store {
    layout: Layout,
    /// Tool names reserved for the server's own tools.
    builtin: HashSet<String>,
    name_length: NameLength,
    /// The tool rules of the configuration, for each component.
    local_rules: LocalRules,
    /// The limit of waits for locks that other processes hold.
    patience: Patience,
}

/// An installed component with its files.
#[derive(Debug, Clone)]
pub struct Installed {
    pub metadata: Metadata,
    pub files: ComponentFiles,
}

/// One directory under `components/`.
#[derive(Debug)]
pub enum Entry {
    Sound(Box<Installed>),
    /// Not served; `reason` is shown to the user.
    Damaged {
        id: ComponentId,
        damage: Damage,
        reason: String,
    },
}

/// The damaged part of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes differ from the installed ones.
    Content,
    /// Both copies of its metadata.
    Records,
    /// Another user could have written its files.
    Foreign,
}

impl Store {
    /// Opens a root without creating anything.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Store {
            layout: Layout::new(root),
            builtin: HashSet::new(),
            name_length: NameLength::default(),
            local_rules: LocalRules::default(),
            patience: Patience::default(),
        }
    }

    /// Returns the store with the names of the server's own tools.
    #[must_use]
    pub fn with_builtin_tools(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.builtin = names.into_iter().collect();
        self
    }

    /// Returns the store with a limit for the length of new tool names.
    #[must_use]
    pub fn with_name_length(mut self, length: NameLength) -> Self {
        self.name_length = length;
        self
    }

    /// Returns the store with a short wait for locks, for callers that need a quick answer.
    #[must_use]
    pub fn without_patience(&self) -> Self {
        Store {
            patience: Patience::Moment,
            ..self.clone()
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the secrets of this root's components.
    pub fn secrets(&self) -> SecretStore {
        SecretStore::new(&self.layout)
    }

    /// Creates an empty staging directory, and the root at first use.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        let components = self.layout.components();
        if !components.is_dir() {
            create_private(&components).map_err(StoreError::io("create", &components))?;
            // Otherwise a crash could lose the directory that the first component is installed in.
            sync(self.layout.root())?;
        }
        Staging::create(&self.layout, self.patience)
    }

    /// Finishes or undoes what dead processes began, removes what they left behind, and returns
    /// the removed paths.
    pub fn sweep(&self) -> Result<Vec<PathBuf>, StoreError> {
        if !self.layout.components().is_dir() {
            return Ok(Vec::new());
        }
        let _lock = self.lock()?;
        let mut swept = staging::sweep(&self.layout)?;
        swept.extend(self.sweep_previous()?);
        Ok(swept)
    }

    /// Lists every component directory, in order of installation.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let mut found: Vec<Entry> = self
            .ids()?
            .iter()
            .filter_map(|id| self.listed_entry(id).transpose())
            .collect::<Result<_, _>>()?;
        found.sort_by(|a, b| a.age().cmp(&b.age()));
        Ok(found)
    }

    /// Returns the names of the component directories, whatever they contain.
    pub fn ids(&self) -> Result<Vec<ComponentId>, StoreError> {
        self.settle_all();
        let directories = disk::beginning_with("", &self.layout.components())?;
        Ok(directories
            .iter()
            .filter_map(|dir| ComponentId::parse(dir.file_name()?.to_str()?).ok())
            .collect())
    }

    /// Returns the installed component with this id.
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

    /// Removes a component, whatever its state, and its previous version, so that a later load
    /// starts without either. Needs no free disk space.
    pub fn remove(&self, id: &ComponentId, names: FreedNames) -> Result<(), StoreError> {
        let files = self.layout.component(id);
        self.settle_all();
        if !files.dir.is_dir() {
            return Err(StoreError::NotInstalled { id: id.clone() });
        }
        let lock = self.lock()?;
        let names = self.names_without(id, names);
        let component = Removed::take(&self.layout, &files.dir)?;
        sync(&self.layout.components())?;
        // If this write fails, the next change reserves the names.
        if let Err(error) = names.write(&self.layout) {
            tracing::debug!(%error, "names not reserved yet");
        }
        let previous = Removed::take(&self.layout, &self.layout.previous(id).dir);
        drop(lock);
        drop((component, previous));
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
