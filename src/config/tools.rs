//! `[tools]`: the names of tools, and rules for the tools of each component.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::reference::ComponentId;
use crate::schema::NameLength;
use crate::schema::rules::{ToolRules, is_tool_name};

/// The settings of `[tools]`, and of `[tools."ID"]` for each component.
#[derive(Debug, Default)]
pub struct ToolsConfig {
    /// The longest name of a new tool, in characters.
    pub name_length: NameLength,
    /// The rules for each component's tools, in addition to those of a manifest.
    pub rules: BTreeMap<ComponentId, ToolRules>,
}

impl<'de> Deserialize<'de> for ToolsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Settings)
    }
}

struct Settings;

impl<'de> Visitor<'de> for Settings {
    type Value = ToolsConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with `name_length`, and a table for each component id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ToolsConfig, A::Error> {
        let mut config = ToolsConfig::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "name_length" {
                config.name_length = map.next_value()?;
                continue;
            }
            let id = ComponentId::parse(&key).map_err(|error| {
                A::Error::custom(format!(
                    "unknown key `{key}`: expected `name_length` or the id of a component ({error})"
                ))
            })?;
            let rules: ToolRules = map.next_value()?;
            if let Some((tool, name)) = rules.rename.iter().find(|(_, name)| !is_tool_name(name)) {
                return Err(A::Error::custom(format!(
                    "`{tool}` cannot be called `{name}`: the name of a tool has from 1 to 64 \
                     letters, digits, `-` and `_`"
                )));
            }
            config.rules.insert(id, rules);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<ToolsConfig, String> {
        let config = Config::parse(text, Path::new("config.toml"));
        config.map(|config| config.tools).map_err(|error| {
            let source = std::error::Error::source(&error).unwrap();
            source.to_string()
        })
    }

    #[test]
    fn rules_stand_beside_the_settings_of_all_tools() {
        let text = "[tools]\nname_length = 20\n[tools.\"weather\"]\ndeny = [\"reset\"]\n\
                    fixed = { get = { units = \"metric\", days = 3 } }\n";
        let config = parse(text).unwrap();
        assert_eq!(config.name_length.characters(), 20);
        let rules = serde_json::to_value(&config.rules).unwrap();
        assert_eq!(
            rules,
            json!({ "weather": {
                "deny": ["reset"], "fixed": { "get": { "units": "metric", "days": 3 } },
            } })
        );
    }

    #[test]
    fn what_is_no_rule_is_told_with_its_place() {
        for (text, told) in [
            ("[tools]\nname_lenght = 20\n", "unknown key `name_lenght`"),
            ("[tools.\"A B\"]\ndeny = []\n", "the id of a component"),
            ("[tools.a]\ndney = []\n", "unknown field `dney`"),
            ("[tools.a]\nallow = \"x\"\n", "expected a sequence"),
            (
                "[tools.a.rename]\nx = \"a b\"\n",
                "`x` cannot be called `a b`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
            assert!(error.contains("line"), "{error}");
        }
    }
}
