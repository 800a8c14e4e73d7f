//! Deserializes one [`Permission`] from the JSON form that its `Serialize`
//! writes.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use super::keys::Keys;
use super::node::{Key, Node, Number, Placed};
use super::reader::Reader;
use super::sections;
use crate::policy::Permission;
use crate::policy::error::{Place, PolicyError};

const KINDS: Keys = Keys {
    known: &["network", "storage", "environment", "limits"],
    refused: &[],
};

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        permission(Reader::new(placed(value))).map_err(D::Error::custom)
    }
}

fn permission(reader: Reader) -> Result<Permission, PolicyError> {
    let mut fields = reader.fields(&KINDS)?;
    let spot = fields.spot.clone();
    let mut found = Vec::new();
    if let Some(rule) = fields.take("network") {
        found.push(Permission::Network(sections::network_rule(rule)?));
    }
    if let Some(rule) = fields.take("storage") {
        found.push(Permission::Storage(sections::storage_allow(rule)?));
    }
    if let Some(rule) = fields.take("environment") {
        found.push(Permission::Environment(sections::environment_rule(rule)?.0));
    }
    if let Some(rules) = fields.take("limits") {
        found.extend(sections::limits(rules)?.rules().map(Permission::Limit));
    }
    match (found.pop(), found.as_slice()) {
        (Some(permission), []) => Ok(permission),
        _ => Err(spot.wrong("exactly one permission is expected here")),
    }
}

/// Converts JSON to the tree that [`Reader`] walks. JSON values carry no
/// position, so all of them get [`Place::START`].
fn placed(value: Value) -> Placed {
    let at = Place::START;
    let node = match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(value),
        Value::Number(number) => Node::Number(match number.as_i128() {
            Some(whole) => Number::Whole(whole),
            None => Number::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Value::String(text) => Node::Text(text),
        Value::Array(items) => Node::List(items.into_iter().map(placed).collect()),
        Value::Object(entries) => Node::Map(
            entries
                .into_iter()
                .map(|(name, value)| (Key { at, name }, placed(value)))
                .collect(),
        ),
    };
    Placed { at, node }
}
