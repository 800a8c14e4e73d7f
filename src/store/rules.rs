//! `<id>.tools.json`: the tool rules that a manifest gives a component.
//!
//! The rules belong to the component, as its grants do: a new version keeps them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::{is_foreign, ours_alone};
use super::error::StoreError;
use super::layout::ComponentFiles;
use super::{Metadata, Store, policy};
use crate::file::{Links, open_regular};
use crate::reference::ComponentId;
use crate::schema::rules::ToolRules;

/// Raised when a reader of the previous format would misread the file.
const FORMAT: u32 = 1;
/// Largest accepted file, in bytes; a manifest is far smaller.
const MAX_FILE: u64 = 4 << 20;

/// The tool rules of a component after a change.
#[derive(Debug, Clone)]
pub enum Rules {
    Kept,
    /// These, replacing all earlier ones.
    Given(ToolRules),
}

/// The rules of `config.toml` for each component.
pub(super) type LocalRules = Arc<BTreeMap<ComponentId, ToolRules>>;

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    rules: ToolRules,
}

impl Store {
    /// Returns the store with the tool rules of the configuration, which apply besides the
    /// recorded ones.
    #[must_use]
    pub fn with_tool_rules(mut self, rules: BTreeMap<ComponentId, ToolRules>) -> Self {
        self.local_rules = Arc::new(rules);
        self
    }

    /// Reads the tool rules that a manifest gave a component.
    ///
    /// # Errors
    ///
    /// [`StoreError::Rules`] when they cannot be read; no tool of the component is then offered.
    pub fn recorded_rules(&self, id: &ComponentId) -> Result<ToolRules, StoreError> {
        let files = self.layout.component(id);
        read(&files).map_err(|source| StoreError::Rules {
            id: id.clone(),
            path: files.rules,
            source,
        })
    }

    /// Returns all rules for a component's tools, by the tools' own names.
    pub(super) fn rules_of(&self, component: &Metadata) -> ToolRules {
        let id = &component.component_id;
        match self.recorded_rules(id) {
            Ok(recorded) => self.rules_with(component, &recorded),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!("{error}: {}", cause.unwrap_or_default());
                ToolRules::nothing()
            }
        }
    }

    /// Like [`Store::rules_of`], with `recorded` in place of the recorded rules.
    pub(super) fn rules_with(&self, component: &Metadata, recorded: &ToolRules) -> ToolRules {
        let resolved = |rules: &ToolRules| {
            rules.resolved(&component.component_id, &component.tools, self.name_length)
        };
        let recorded = resolved(recorded);
        match self.local_rules.get(&component.component_id) {
            None => recorded,
            Some(local) => recorded.and(resolved(local)),
        }
    }
}

fn read(files: &ComponentFiles) -> io::Result<ToolRules> {
    let file = match open_regular(&files.rules, Links::Follow) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ToolRules::default()),
        file => file?,
    };
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let dir = fs::metadata(&files.dir)?;
    if !ours_alone(&dir) || is_foreign(&file.metadata()?, &dir) {
        return Err(invalid(
            "it or its directory belongs to another user, or others may change it".into(),
        ));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    let Document { format, rules } = serde_json::from_str(&text)?;
    match format {
        FORMAT => Ok(rules),
        format => Err(invalid(format!("format {format} is not {FORMAT}"))),
    }
}

/// Writes the rules of the staged version of a component. `files` is the installed version, if
/// there is one.
pub(super) fn give(
    rules: &Rules,
    files: Option<&ComponentFiles>,
    staged: &ComponentFiles,
) -> Result<(), StoreError> {
    match (rules, files) {
        (Rules::Kept, None) => Ok(()),
        (Rules::Kept, Some(files)) => policy::carry_one((&files.rules, &staged.rules), &files.dir),
        (Rules::Given(rules), _) if rules.is_empty() => Ok(()),
        (Rules::Given(rules), _) => {
            let document = Document {
                format: FORMAT,
                rules: rules.clone(),
            };
            let write =
                || policy::write_private(&staged.rules, &crate::text::json_pretty(&document)?);
            write().map_err(StoreError::io("write", &staged.rules))
        }
    }
}
