//! A manifest of the installed components.

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::policy::Policy;
use crate::reference::{ComponentId, Reference};
use crate::schema::rules::ToolRules;

/// One installed component.
#[derive(Debug, Clone)]
pub struct Exported {
    pub id: ComponentId,
    pub source: Reference,
    pub digest: Digest,
    pub granted: Policy,
    /// The value of `trust`, if it is signed.
    pub trust: Option<Value>,
    /// The rules of a manifest for its tools; those of the configuration are not exported.
    pub tools: ToolRules,
}

/// The manifest as data; applying it on another machine installs the same components.
pub fn export(components: &[Exported]) -> Value {
    let entries = components.iter().map(|one| {
        let mut permissions = json!(one.granted)["permissions"].take();
        literal(&mut permissions);
        let mut entry = json!({
            "uri": one.source.to_string().replace("${", "$${"),
            "name": one.id,
            "digest": one.digest,
            "permissions": permissions,
        });
        if let Some(mut trust) = one.trust.clone() {
            literal(&mut trust);
            entry["trust"] = trust;
        }
        if !one.tools.is_empty() {
            entry["tools"] = json!(one.tools);
            literal(&mut entry["tools"]);
        }
        entry
    });
    json!({ "version": 1, "components": entries.collect::<Value>() })
}

/// Escapes the values, so that no text is taken for a variable.
fn literal(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("${", "$${"),
        Value::Array(items) => items.iter_mut().for_each(literal),
        Value::Object(entries) => entries.values_mut().for_each(literal),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
