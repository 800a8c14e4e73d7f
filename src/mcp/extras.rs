//! Handles arguments that a tool does not declare: renames misspelt ones, and ignores others.
//!
//! An unknown argument may have been meant as a restriction (`dry_run`, `port`,
//! `checksum`). So only members at the top level are ignored, and only those that
//! clients are known to add, or any if the tool cannot change anything. The answer
//! names them.

use std::collections::HashMap;

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

/// Renames an undeclared argument to the declared one that is absent and differs from
/// it only in case, hyphens and underscores, if there is just one: models write
/// `maxCount` and `max_count` for `max-count`.
pub(super) fn respell(arguments: &mut Map<String, Value>, input_schema: &Map<String, Value>) {
    let Some(declared) = input_schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let is_other = |name: &String| !declared.contains_key(&*property_name(name));
    let others: Vec<String> = arguments
        .keys()
        .filter(|name| is_other(name))
        .cloned()
        .collect();
    if others.is_empty() {
        return;
    }
    // `None` where two names have the same letters.
    let mut by_letters: HashMap<String, Option<&String>> = HashMap::new();
    for name in declared.keys() {
        let same = by_letters.entry(letters(name));
        same.and_modify(|known| *known = None).or_insert(Some(name));
    }
    for name in others {
        if let Some(Some(known)) = by_letters.get(&letters(&name))
            && !arguments.contains_key(*known)
            && let Some(value) = arguments.shift_remove(&name)
        {
            arguments.insert((*known).clone(), value);
        }
    }
}

fn letters(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '-' | '_'));
    kept.flat_map(char::to_lowercase).collect()
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
    fn another_spelling_of_a_name_is_understood_where_one_is_meant() {
        let schema = json!({ "properties": { "max-count": {}, "id": {}, "a-b": {}, "ab": {} } });
        let understood = |arguments: Value| {
            let mut arguments = arguments.as_object().unwrap().clone();
            respell(&mut arguments, schema.as_object().unwrap());
            Value::from(arguments)
        };
        for spelled in ["maxCount", "max_count", "MAX-COUNT", "MaxCount"] {
            let meant = understood(json!({ spelled: 1, "id": 2 }));
            assert_eq!(meant, json!({ "max-count": 1, "id": 2 }), "{spelled}");
        }
        for same in [
            json!({ "max_count": 1, "max-count": 2 }),
            json!({ "A_B": 1 }),
            json!({ "maximum": 1, "": 2, "--": 3 }),
        ] {
            assert_eq!(understood(same.clone()), same);
        }
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
