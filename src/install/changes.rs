//! The effects of another version on its users: its tools, imports and requested permissions.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::schema::ToolRecord;
use crate::store::Metadata;
use crate::verify::Trust;

use super::{Described, Request, described};

/// The differences between two versions, apart from their code.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Changes {
    pub tools_added: Vec<String>,
    pub tools_removed: Vec<String>,
    pub tools_changed: Vec<ToolChange>,
    /// Full names. A compatible version of an interface is not a difference.
    pub imports_added: Vec<String>,
    pub imports_removed: Vec<String>,
    /// The newly requested permissions.
    pub permissions_added: Vec<Described>,
    pub permissions_removed: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Change<Trust>>,
}

/// The changes of one tool's definition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolChange {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Change<Map<String, Value>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Change<Map<String, Value>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change<T> {
    pub before: T,
    pub now: T,
}

impl Changes {
    pub fn between(before: &Metadata, now: &Metadata) -> Self {
        let (old, new) = (by_name(&before.tools), by_name(&now.tools));
        let (asked, asks) = (Request::of(before).policy, Request::of(now).policy);
        let imports = (&before.component_info.imports, &now.component_info.imports);
        Changes {
            tools_added: missing(&new, &old),
            tools_removed: missing(&old, &new),
            tools_changed: old
                .iter()
                .filter_map(|(name, before)| ToolChange::between(before, new.get(name)?))
                .collect(),
            imports_added: unmet(imports.1, imports.0),
            imports_removed: unmet(imports.0, imports.1),
            permissions_added: described(asks.beyond(&asked)),
            permissions_removed: described(asked.beyond(&asks)),
            trust: (!before.trust.is_like(&now.trust)).then(|| Change {
                before: before.trust.clone(),
                now: now.trust.clone(),
            }),
        }
    }

    /// Whether only code changed.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

impl ToolChange {
    fn between(before: &ToolRecord, now: &ToolRecord) -> Option<Self> {
        let changed = ToolChange {
            name: now.normalized_name.clone(),
            description: change(&before.description, &now.description),
            input_schema: change(&before.input_schema, &now.input_schema),
            output_schema: change(&before.output_schema, &now.output_schema),
        };
        let same = changed.description.is_none()
            && changed.input_schema.is_none()
            && changed.output_schema.is_none();
        (!same).then_some(changed)
    }
}

fn change<T: Clone + PartialEq>(before: &T, now: &T) -> Option<Change<T>> {
    (before != now).then(|| Change {
        before: before.clone(),
        now: now.clone(),
    })
}

fn by_name(tools: &[ToolRecord]) -> BTreeMap<&str, &ToolRecord> {
    let tools = tools.iter();
    tools.map(|tool| (&*tool.normalized_name, tool)).collect()
}

/// The names that only the first map has.
fn missing(of: &BTreeMap<&str, &ToolRecord>, from: &BTreeMap<&str, &ToolRecord>) -> Vec<String> {
    let names = of.keys().filter(|name| !from.contains_key(*name));
    names.map(|&name| name.to_owned()).collect()
}

/// The imports for which the others have no compatible one.
fn unmet(imports: &[String], others: &[String]) -> Vec<String> {
    let met = |import: &&String| {
        let track = track(import);
        others.iter().any(|other| self::track(other) == track)
    };
    imports.iter().filter(|one| !met(one)).cloned().collect()
}

/// Splits an import into its name and the part of the version that decides compatibility by
/// <https://semver.org>: everything up to the first number that is not zero.
fn track(import: &str) -> (&str, &str) {
    let Some((name, version)) = import.split_once('@') else {
        return (import, "");
    };
    if version.contains(['-', '+']) {
        return (name, version);
    }
    let mut end = 0;
    for number in version.split_inclusive('.') {
        end += number.len();
        if number.trim_end_matches('.') != "0" {
            break;
        }
    }
    (name, version[..end].trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_of_an_interface_are_one() {
        for (one, other, same) in [
            ("wasi:io/streams@0.2.0", "wasi:io/streams@0.2.6", true),
            ("wasi:io/streams@0.2.0", "wasi:io/streams@0.3.0", false),
            ("a:b/c@1.0.0", "a:b/c@1.9.3", true),
            ("a:b/c@1.0.0", "a:b/c@2.0.0", false),
            ("a:b/c@0.0.1", "a:b/c@0.0.2", false),
            ("a:b/c@1.0.0", "a:b/d@1.0.0", false),
            ("a:b/c@1.0.0-rc.1", "a:b/c@1.0.0-rc.2", false),
            ("a:b/c", "a:b/c", true),
            ("a:b/c", "a:b/c@1.0.0", false),
        ] {
            assert_eq!(track(one) == track(other), same, "{one} {other}");
        }
    }
}
