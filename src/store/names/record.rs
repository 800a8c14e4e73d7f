//! Reads and writes the record of names.

use jiff::Timestamp;

use super::super::disk;
use super::{Names, Offered};
use crate::reference::ComponentId;
use crate::schema::rules::{Problem, RuleFault, ToolRules};
use crate::store::{Metadata, Rules, Store, StoreError};

/// A component that is about to be installed, or to get other rules.
#[derive(Clone, Copy)]
pub(in crate::store) struct Coming<'a> {
    pub metadata: &'a Metadata,
    pub rules: &'a Rules,
}

impl<'a> Coming<'a> {
    pub fn kept(metadata: &'a Metadata) -> Self {
        Coming {
            metadata,
            rules: &Rules::Kept,
        }
    }
}

impl Store {
    /// Returns the tools that a component offers, by names and rules, even if its names are not
    /// recorded yet.
    pub fn offered(&self, component: &Metadata) -> Offered {
        let mut names = self.recorded_names();
        names.set_rules(&component.component_id, self.rules_of(component));
        if !names.has_all(component) {
            self.complete(&mut names, &self.sound(), Timestamp::now());
        }
        names.offered(component)
    }

    /// Returns the names of all installed components' tools, for [`Names::offered`].
    pub fn names_of_all(&self, installed: &[&Metadata]) -> Names {
        let mut names = self.recorded_names();
        self.complete(&mut names, installed, Timestamp::now());
        names
    }

    /// Returns for each component the rules that could not be applied if the components were
    /// installed in this order.
    pub fn unfit_rules(&self, wanted: &[(&Metadata, &ToolRules)]) -> Vec<Vec<RuleFault>> {
        let (mut names, now) = (self.recorded_names(), Timestamp::now());
        self.complete(&mut names, &self.sound(), now);
        let unfit = wanted.iter().map(|(metadata, rules)| {
            let (id, tools) = (&metadata.component_id, &metadata.tools);
            let mut faults = rules.resolved(id, tools, self.name_length).faults(tools);
            names.set_rules(id, self.rules_with(metadata, rules));
            let taken = names.give(metadata, now).iter();
            faults.extend(taken.filter(|fault| is_of(fault, rules)).cloned());
            faults.dedup();
            faults
        });
        unfit.collect()
    }

    fn recorded_names(&self) -> Names {
        Names::read(&self.layout, &self.builtin, self.name_length)
    }

    fn complete(
        &self,
        names: &mut Names,
        installed: &[impl std::borrow::Borrow<Metadata>],
        now: Timestamp,
    ) {
        for component in installed {
            let component = component.borrow();
            names.set_rules(&component.component_id, self.rules_of(component));
        }
        names.complete(installed.iter().map(std::borrow::Borrow::borrow), now);
    }

    /// Records the names of components that are about to be installed, and of all others without
    /// names; reserves the names of components that are about to be removed. Returns the record as
    /// it was. The caller must hold the root's lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnfitRules`] when a component cannot have a name that its new rules give.
    pub(in crate::store) fn record_names(
        &self,
        coming: &[Coming<'_>],
        going: &[&ComponentId],
    ) -> Result<Names, StoreError> {
        let before = self.recorded_names();
        let (mut names, now) = (before.clone(), Timestamp::now());
        let is_installed = |id: &ComponentId| {
            let is_coming = coming.iter().any(|one| one.metadata.component_id == *id);
            is_coming || self.layout.component(id).dir.is_dir()
        };
        names.tidy(is_installed, now);
        if !self.are_recorded(&names)? {
            self.complete(&mut names, &self.sound(), now);
        }
        for Coming { metadata, rules } in coming {
            let id = &metadata.component_id;
            let (in_force, given) = match rules {
                Rules::Kept => (self.rules_of(metadata), None),
                Rules::Given(rules) => (self.rules_with(metadata, rules), Some(rules)),
            };
            names.set_rules(id, in_force);
            let faults = names.give(metadata, now).iter();
            let faults: Vec<_> = faults
                .filter(|fault| given.is_some_and(|given| is_of(fault, given)))
                .cloned()
                .collect();
            if !faults.is_empty() {
                let id = id.clone();
                return Err(StoreError::UnfitRules { id, faults });
            }
        }
        for id in going {
            names.free(id, now);
        }
        if names.entries != before.entries {
            names.write(&self.layout)?;
        }
        Ok(before)
    }

    /// Returns the record without a component that is about to be removed, with its names reserved
    /// or freed. The caller must hold the root's lock.
    pub(in crate::store) fn names_without(&self, id: &ComponentId, names_of: FreedNames) -> Names {
        let mut names = self.recorded_names();
        let now = Timestamp::now();
        // First complete the record, so that names which were never recorded are reserved as well.
        if !self.are_recorded(&names).unwrap_or(true) {
            self.complete(&mut names, &self.sound(), now);
        }
        match names_of {
            FreedNames::Reserved => names.free(id, now),
            FreedNames::GivenUp => names.forget(id),
        }
        names
    }

    /// Whether every component directory has recorded names, checked without reading its metadata.
    fn are_recorded(&self, names: &Names) -> Result<bool, StoreError> {
        let directories = disk::beginning_with("", &self.layout.components())?;
        Ok(directories.iter().all(|dir| {
            let id = dir.file_name().and_then(|name| name.to_str());
            let id = id.and_then(|id| ComponentId::parse(id).ok());
            id.is_none_or(|id| names.by_component.contains_key(&id))
        }))
    }

    /// Reads all metadata that can be read.
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

/// Whether the fault is about a name that these rules give, rather than one from the
/// configuration.
fn is_of(fault: &RuleFault, rules: &ToolRules) -> bool {
    match &fault.problem {
        Problem::Name { name, .. } | Problem::Taken { name, .. } => {
            rules.rename.values().any(|given| given == name)
        }
        _ => false,
    }
}

/// The treatment of the names of an unloaded component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FreedNames {
    /// They are reserved for it for 30 days.
    #[default]
    Reserved,
    /// Other components can get them at once.
    GivenUp,
}
