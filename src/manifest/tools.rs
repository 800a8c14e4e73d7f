//! The `tools` of an entry: rules for its component's tools.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::PolicyError;
use crate::policy::document::{Keys, Reader};
use crate::schema::rules::{Arguments, ToolRules, is_tool_name};

use super::read::optional;

/// Most tools, or arguments of one tool, that one rule names.
const MOST: usize = 1000;

pub(super) const TOOLS: Keys = Keys {
    known: &["allow", "deny", "rename", "describe", "defaults", "fixed"],
    refused: &[("hide", "tools that are not offered stand under `deny`")],
};

pub(super) fn tools(reader: Reader) -> Result<ToolRules, PolicyError> {
    let mut fields = reader.fields(&TOOLS)?;
    let mut rules = ToolRules::default();
    // `allow: ` with nothing after it allows nothing: it does not mean that
    // everything is allowed.
    if let Some(allow) = fields.take("allow") {
        rules.allow = Some(match allow.unless_null() {
            Some(allow) => names(allow)?,
            None => BTreeSet::new(),
        });
    }
    if let Some(deny) = optional(&mut fields, "deny") {
        rules.deny = names(deny)?;
    }
    if let Some(rename) = optional(&mut fields, "rename") {
        for (tool, name) in rename.entries(MOST)? {
            let spot = name.spot.clone();
            let name = name.text()?;
            if !is_tool_name(&name) {
                return Err(
                    spot.wrong("the name of a tool has from 1 to 64 letters, digits, `-` and `_`")
                );
            }
            rules.rename.insert(tool.name, name);
        }
    }
    if let Some(describe) = optional(&mut fields, "describe") {
        for (tool, description) in describe.entries(MOST)? {
            rules.describe.insert(tool.name, description.text()?);
        }
    }
    if let Some(defaults) = optional(&mut fields, "defaults") {
        rules.defaults = arguments(defaults)?;
    }
    if let Some(fixed) = optional(&mut fields, "fixed") {
        rules.fixed = arguments(fixed)?;
    }
    Ok(rules)
}

fn names(reader: Reader) -> Result<BTreeSet<String>, PolicyError> {
    reader.list(MOST)?.into_iter().map(Reader::text).collect()
}

fn arguments(reader: Reader) -> Result<BTreeMap<String, Arguments>, PolicyError> {
    let tools = reader.entries(MOST)?.into_iter().map(|(tool, arguments)| {
        let arguments = arguments.entries(MOST)?.into_iter();
        let arguments = arguments.map(|(name, value)| Ok((name.name, value.json()?)));
        Ok((tool.name, arguments.collect::<Result<_, PolicyError>>()?))
    });
    tools.collect()
}
