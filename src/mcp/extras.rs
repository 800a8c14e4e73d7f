//! Ignores arguments that clients add to those that a tool declares.
//!
//! An unknown argument may have been meant as a restriction (`dry_run`, `port`,
//! `checksum`). So only members at the top level are ignored, and only those that
//! clients are known to add, or any if the tool cannot change anything. The answer
//! names them.

use serde_json::{Map, Value};

use crate::schema::property_name;

/// Arguments that clients are known to add to every call, or to those of a tool
/// without parameters.
const KNOWN: [&str; 8] = [
    // n8n
    "toolCallId",
    "tool_call_id",
    "chatInput",
    "sessionId",
    // Cursor, Cline and others, for tools without parameters
    "random_string",
    "dummy",
    "_placeholder",
    // Cline
    "task_progress",
];

/// Which undeclared arguments are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassOver {
    Nothing,
    /// Those that clients are known to add.
    Known,
    /// Any, since the tool cannot change anything.
    Any,
}

/// Removes undeclared arguments that may be ignored, and returns their names.
pub(super) fn pass_over(
    arguments: &mut Map<String, Value>,
    input_schema: &Map<String, Value>,
    rule: PassOver,
) -> Vec<String> {
    let declared = input_schema.get("properties").and_then(Value::as_object);
    // The schema may have a shortened form of a long name.
    let is_declared = |name: &str| {
        let short = property_name(name);
        declared.is_some_and(|declared| declared.contains_key(&*short))
    };
    let is_extra = |name: &str| match rule {
        _ if is_declared(name) => false,
        PassOver::Nothing => false,
        PassOver::Known => KNOWN.contains(&name),
        PassOver::Any => true,
    };
    let mut names = Vec::new();
    arguments.retain(|name, _| {
        let extra = is_extra(name);
        if extra {
            names.push(name.clone());
        }
        !extra
    });
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn left(rule: PassOver) -> (Vec<String>, Value) {
        let schema = json!({ "properties": { "a": {}, "dummy": {} } });
        let arguments = json!({ "a": 1, "dummy": 2, "toolCallId": 3, "dry_run": true });
        let mut arguments = arguments.as_object().unwrap().clone();
        let names = pass_over(&mut arguments, schema.as_object().unwrap(), rule);
        (names, arguments.into())
    }

    #[test]
    fn only_what_is_not_declared_and_harmless_is_passed_over() {
        let all = json!({ "a": 1, "dummy": 2, "toolCallId": 3, "dry_run": true });
        assert_eq!(left(PassOver::Nothing), (vec![], all));
        let known = json!({ "a": 1, "dummy": 2, "dry_run": true });
        assert_eq!(left(PassOver::Known), (vec!["toolCallId".into()], known));
        let (names, kept) = left(PassOver::Any);
        assert_eq!(names, ["toolCallId", "dry_run"]);
        assert_eq!(kept, json!({ "a": 1, "dummy": 2 }));
    }
}
