use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::manifest::read::{COMPONENT, MANIFEST, RETRY};
use crate::manifest::tools::TOOLS;

#[test]
fn the_shipped_schema_is_that_of_the_types() {
    let shipped = include_str!("../../../schemas/manifest.schema.json");
    assert!(
        schema() == shipped,
        "run `wassette manifest schema > schemas/manifest.schema.json`"
    );
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let keys = |of: &Value| -> BTreeSet<String> {
        of["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let known = |keys: &[&str]| {
        keys.iter()
            .map(|key| (*key).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(keys(&schema), known(MANIFEST.known));
    assert_eq!(keys(&schema["$defs"]["Entry"]), known(COMPONENT.known));
    assert_eq!(keys(&schema["$defs"]["Retry"]), known(RETRY.known));
    assert_eq!(keys(&schema["$defs"]["ToolRules"]), known(TOOLS.known));
    let trust = ["require", "identities", "keys", "trusted-root", "deny"];
    assert_eq!(keys(&schema["$defs"]["Trust"]), known(&trust));
    assert_eq!(schema["$defs"]["Trust"].get("required"), None);
    assert_eq!(schema["$defs"]["Entry"]["required"], json!(["uri"]));
    assert_eq!(schema.get("required"), None);
}
