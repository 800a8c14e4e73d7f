//! Handles arguments that a tool does not declare: renames misspelt ones, and ignores others.
//!
//! An unknown argument may have been meant as a restriction (`dry_run`, `port`,
//! `checksum`). So only members at the top level are ignored, and only those that
//! clients are known to add, or any if the tool cannot change anything. The answer
//! names them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::runtime::Respelled;
use crate::schema::{Spellings, property_name};

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

/// What was accepted although the schema says otherwise.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tolerated {
    /// Names of arguments that were ignored.
    pub ignored: Vec<String>,
    pub respelled: Vec<Respelled>,
}

impl Tolerated {
    pub fn extend(&mut self, other: Tolerated) {
        self.ignored.extend(other.ignored);
        self.respelled.extend(other.respelled);
    }
}

/// Renames undeclared arguments that are other spellings of absent declared ones, and
/// returns what was renamed. `path` is that of the arguments.
pub(super) fn respell(
    arguments: &mut Map<String, Value>,
    input_schema: &Map<String, Value>,
    path: &str,
) -> Vec<Respelled> {
    let declared = Declared::new(input_schema);
    let mut renamed = Vec::new();
    let given: Vec<String> = arguments.keys().cloned().collect();
    for name in given {
        if let Some(meant) = declared.respelled(&name)
            && !arguments.contains_key(meant)
            && let Some(value) = arguments.shift_remove(&name)
        {
            arguments.insert(meant.to_owned(), value);
            renamed.push(Respelled {
                path: format!("{path}.{name}"),
                name: meant.to_owned(),
            });
        }
    }
    renamed
}

/// The names that a schema declares.
struct Declared<'s> {
    names: Vec<&'s str>,
    known: HashSet<&'s str>,
    spellings: Spellings,
}

impl<'s> Declared<'s> {
    fn new(input_schema: &'s Map<String, Value>) -> Self {
        let declared = input_schema.get("properties").and_then(Value::as_object);
        let names: Vec<&str> = declared
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        Declared {
            known: names.iter().copied().collect(),
            spellings: Spellings::new(&names),
            names,
        }
    }

    /// The schema may have a shortened form of a long name.
    fn contains(&self, name: &str) -> bool {
        self.known.contains(&*property_name(name))
    }

    /// The declared name of which this undeclared one is another spelling.
    fn respelled(&self, name: &str) -> Option<&'s str> {
        if self.contains(name) {
            return None;
        }
        self.spellings.meant(name).map(|index| self.names[index])
    }
}

/// Removes undeclared arguments that may be ignored, and returns their names.
pub(super) fn pass_over(
    arguments: &mut Map<String, Value>,
    input_schema: &Map<String, Value>,
    rule: PassOver,
) -> Vec<String> {
    let declared = Declared::new(input_schema);
    let given: HashSet<String> = arguments.keys().cloned().collect();
    // Another spelling of an absent argument is that argument.
    let is_declared = |name: &str| {
        declared.contains(name)
            || declared
                .respelled(name)
                .is_some_and(|meant| !given.contains(meant))
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
        let schema = schema.as_object().unwrap();
        let understood = |arguments: Value| {
            let mut arguments = arguments.as_object().unwrap().clone();
            let mut kept = arguments.clone();
            let renamed = respell(&mut arguments, schema, "args");
            let ignored = pass_over(&mut kept, schema, PassOver::Any);
            (Value::from(arguments), renamed, ignored)
        };
        let meant = json!({ "max-count": 1, "id": 2 });
        let renamed = vec![Respelled {
            path: "args.maxCount".into(),
            name: "max-count".into(),
        }];
        let sent = json!({ "maxCount": 1, "id": 2 });
        assert_eq!(understood(sent), (meant, renamed, vec![]));
        let two = json!({ "max_count": 1, "max-count": 2 });
        let ignored = vec!["max_count".into()];
        assert_eq!(understood(two.clone()), (two, vec![], ignored));
        let either = json!({ "A_B": 1 });
        let ignored = vec!["A_B".into()];
        assert_eq!(understood(either.clone()), (either, vec![], ignored));
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
