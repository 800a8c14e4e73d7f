//! Serializes policies and permissions in the form of the document.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::VERSION;
use crate::policy::environment::{EnvironmentRule, ValueSource};
use crate::policy::limits::{LimitRule, Limits};
use crate::policy::network::NetworkRule;
use crate::policy::quantity;
use crate::policy::storage::StorageRule;
use crate::policy::{Permission, Policy};

impl Serialize for NetworkRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            NetworkRule::Host(pattern) => map.serialize_entry("host", &pattern.to_string())?,
            NetworkRule::Cidr(rule) => map.serialize_entry("cidr", &rule.to_string())?,
        }
        map.end()
    }
}

impl Serialize for StorageRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("uri", &self.uri.to_string())?;
        map.serialize_entry("access", &self.access.names())?;
        if let Some(bytes) = self.quota {
            map.serialize_entry("quota", &quantity::format_size(bytes))?;
        }
        map.end()
    }
}

impl Serialize for EnvironmentRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        match &self.source {
            ValueSource::Inherit => {}
            ValueSource::Value(value) => map.serialize_entry("value", value)?,
            ValueSource::Secret => map.serialize_entry("value_from", "secret")?,
        }
        map.end()
    }
}

impl Serialize for LimitRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            LimitRule::Instances(count) => map.serialize_entry(self.key(), count)?,
            _ => map.serialize_entry(self.key(), &self.value())?,
        }
        map.end()
    }
}

/// The rule in policy syntax, under the name of its section:
/// `{"network": {"host": "api.example.com"}}`.
impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Permission::Network(rule) => map.serialize_entry("network", rule)?,
            Permission::Storage(rule) => map.serialize_entry("storage", rule)?,
            Permission::Environment(rule) => map.serialize_entry("environment", rule)?,
            Permission::Limit(rule) => map.serialize_entry("limits", rule)?,
        }
        map.end()
    }
}

/// The form of the document; empty sections are left out.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut permissions = Map::new();
        section(
            &mut permissions,
            "network",
            (&self.network.allow, &self.network.deny),
        );
        section(
            &mut permissions,
            "storage",
            (&self.storage.allow, &self.storage.deny),
        );
        section(
            &mut permissions,
            "environment",
            (&self.environment.allow, &[]),
        );
        if self.limits != Limits::default() {
            let mut limits = Map::new();
            for rule in self.limits.rules() {
                if let Value::Object(one) = json!(rule) {
                    limits.extend(one);
                }
            }
            permissions.insert("resources".to_owned(), json!({"limits": limits}));
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", VERSION)?;
        if let Some(description) = &self.description {
            map.serialize_entry("description", description)?;
        }
        map.serialize_entry("permissions", &permissions)?;
        map.end()
    }
}

fn section<T: Serialize>(permissions: &mut Map<String, Value>, name: &str, lists: (&[T], &[T])) {
    let mut both = Map::new();
    for (key, list) in [("allow", lists.0), ("deny", lists.1)] {
        if !list.is_empty() {
            both.insert(key.to_owned(), json!(list));
        }
    }
    if !both.is_empty() {
        permissions.insert(name.to_owned(), Value::Object(both));
    }
}
