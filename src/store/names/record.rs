//! When the names of a root are read and written.

use jiff::Timestamp;

use super::super::disk;
use super::{Names, ToolName};
use crate::reference::ComponentId;
use crate::store::{Metadata, Store, StoreError};

impl Store {
    /// The names of a component's tools, whether or not they are recorded yet.
    pub fn names_of(&self, component: &Metadata) -> Vec<ToolName> {
        let mut names = Names::read(&self.layout, &self.builtin, self.name_length);
        if !names.has_all(component) {
            names.complete(&self.sound(), Timestamp::now());
        }
        names.of(component)
    }

    /// The names of the tools of all installed components.
    pub fn names_of_all<'a>(&self, installed: impl IntoIterator<Item = &'a Metadata>) -> Names {
        let mut names = Names::read(&self.layout, &self.builtin, self.name_length);
        names.complete(installed, Timestamp::now());
        names
    }

    /// Records the names of components that are about to be put in place, and
    /// those of all others that have none yet; reserves the names of those that
    /// are about to be taken away. Returns the record as it was. The root's lock
    /// is held.
    pub(in crate::store) fn record_names(
        &self,
        coming: &[&Metadata],
        going: &[&ComponentId],
    ) -> Result<Names, StoreError> {
        let before = Names::read(&self.layout, &self.builtin, self.name_length);
        let (mut names, now) = (before.clone(), Timestamp::now());
        let is_installed = |id: &ComponentId| {
            let is_coming = coming.iter().any(|component| component.component_id == *id);
            is_coming || self.layout.component(id).dir.is_dir()
        };
        names.tidy(is_installed, now);
        if !self.are_recorded(&names)? {
            names.complete(&self.sound(), now);
        }
        for component in coming {
            names.give(component, now);
        }
        for id in going {
            names.free(id, now);
        }
        if names != before {
            names.write(&self.layout)?;
        }
        Ok(before)
    }

    /// The record without a component that is about to be taken away, whose
    /// names are reserved or given up. The root's lock is held.
    pub(in crate::store) fn names_without(&self, id: &ComponentId, names_of: FreedNames) -> Names {
        let mut names = Names::read(&self.layout, &self.builtin, self.name_length);
        let now = Timestamp::now();
        // A name that was never recorded is reserved as well.
        if !self.are_recorded(&names).unwrap_or(true) {
            names.complete(&self.sound(), now);
        }
        match names_of {
            FreedNames::Reserved => names.free(id, now),
            FreedNames::GivenUp => names.forget(id),
        }
        names
    }

    /// Whether every component directory has names, as far as can be told
    /// without reading its metadata.
    fn are_recorded(&self, names: &Names) -> Result<bool, StoreError> {
        let directories = disk::beginning_with("", &self.layout.components())?;
        Ok(directories.iter().all(|dir| {
            let id = dir.file_name().and_then(|name| name.to_str());
            let id = id.and_then(|id| ComponentId::parse(id).ok());
            id.is_none_or(|id| names.by_component.contains_key(&id))
        }))
    }

    /// The metadata of all components whose metadata can be read.
    fn sound(&self) -> Vec<Metadata> {
        let directories = disk::beginning_with("", &self.layout.components());
        let ids = directories
            .unwrap_or_default()
            .into_iter()
            .filter_map(|dir| {
                let id = dir.file_name()?.to_str()?;
                ComponentId::parse(id).ok()
            });
        ids.filter_map(|id| Metadata::read_either(&self.layout.component(&id)).ok())
            .collect()
    }
}

/// What becomes of the names of a component that is unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FreedNames {
    /// They wait for it for 30 days.
    #[default]
    Reserved,
    /// Other components may have them at once.
    GivenUp,
}
