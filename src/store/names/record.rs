//! When the names of a root are read and written.

use jiff::Timestamp;

use super::super::disk;
use super::{Names, Offered};
use crate::reference::ComponentId;
use crate::schema::rules::{Problem, RuleFault, ToolRules};
use crate::store::{Metadata, Rules, Store, StoreError};

/// A component that is about to be put in place, or to get other rules.
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
    /// What a component offers: its tools as the rules have them, by their
    /// names, whether or not these are recorded yet.
    pub fn offered(&self, component: &Metadata) -> Offered {
        let mut names = self.recorded_names();
        names.set_rules(&component.component_id, self.rules_of(component));
        if !names.has_all(component) {
            self.complete(&mut names, &self.sound(), Timestamp::now());
        }
        names.offered(component)
    }

    /// The names of the tools of all installed components, for
    /// [`Names::offered`].
    pub fn names_of_all(&self, installed: &[&Metadata]) -> Names {
        let mut names = self.recorded_names();
        self.complete(&mut names, installed, Timestamp::now());
        names
    }

    /// The rules of these components that could not be carried out, were they
    /// put in place in this order: for each component, why.
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

    /// Records the names of components that are about to be put in place, and
    /// those of all others that have none yet; reserves the names of those that
    /// are about to be taken away. Returns the record as it was. The root's lock
    /// is held.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnfitRules`] when a component cannot have a name that rules
    /// give it which come with it.
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

    /// The record without a component that is about to be taken away, whose
    /// names are reserved or given up. The root's lock is held.
    pub(in crate::store) fn names_without(&self, id: &ComponentId, names_of: FreedNames) -> Names {
        let mut names = self.recorded_names();
        let now = Timestamp::now();
        // A name that was never recorded is reserved as well.
        if !self.are_recorded(&names).unwrap_or(true) {
            self.complete(&mut names, &self.sound(), now);
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

/// Whether a name is refused that these rules give, and not those of the
/// configuration.
fn is_of(fault: &RuleFault, rules: &ToolRules) -> bool {
    match &fault.problem {
        Problem::Name { name, .. } | Problem::Taken { name, .. } => {
            rules.rename.values().any(|given| given == name)
        }
        _ => false,
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
