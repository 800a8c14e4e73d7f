use std::sync::Arc;

use super::*;
use crate::reference::ComponentId;
use crate::schema::rules::Given;
use crate::schema::{ExportPath, Outcome, ToolRecord};
use crate::store::{Offered, OfferedTool, ToolName};
use crate::toolbox::Toolbox;

fn tool() -> Arc<Tool> {
    let schema = json!({
        "type": "object",
        "properties": {
            "title": { "type": "string" },
            "count": { "type": "integer" },
            "loud": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "limit": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
            "at": { "type": "object", "properties": { "x": { "type": "number" } } },
            "unit": { "enum": ["metric", "imperial"] },
        },
        "required": ["title"],
    });
    let Value::Object(input_schema) = schema else {
        unreachable!()
    };
    let offered = OfferedTool {
        given: Given::default(),
        renamed: None,
        names: vec![ToolName {
            name: "t".into(),
            tool: "t".into(),
            listed: true,
        }],
        record: ToolRecord {
            name: "t".into(),
            normalized_name: "t".into(),
            description: String::new(),
            input_schema,
            output_schema: Map::new(),
            export: ExportPath {
                interface: None,
                function: "t".into(),
            },
            outcome: Outcome::Plain,
        },
    };
    let toolbox = Toolbox::new([""; 0]);
    toolbox.insert(
        &ComponentId::parse("c").unwrap(),
        Offered::of(vec![offered]),
    );
    toolbox.get("t").unwrap()
}

fn parsed(words: &[&str]) -> Result<Value, String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let parsed = parse(&tool(), &words).map(Value::Object);
    parsed.map_err(|error| error.to_string())
}

#[test]
fn words_become_the_values_that_the_tool_takes() {
    for (words, value) in [
        (&["--title", "7"][..], json!({ "title": "7" })),
        (&["--title=--x"], json!({ "title": "--x" })),
        (
            &["--title", "-1", "--count", "-1"],
            json!({ "title": "-1", "count": -1 }),
        ),
        (
            &["--loud", "--count=2"],
            json!({ "loud": true, "count": 2 }),
        ),
        (&["--loud", "false"], json!({ "loud": false })),
        (
            &["--tags", "a", "--tags", "b"],
            json!({ "tags": ["a", "b"] }),
        ),
        (&["--tags", r#"["a","b"]"#], json!({ "tags": ["a", "b"] })),
        (&["--limit", "3"], json!({ "limit": 3 })),
        (&["--at", r#"{"x": 1.5}"#], json!({ "at": { "x": 1.5 } })),
        (&["--unit", "metric"], json!({ "unit": "metric" })),
        // Types are checked later, like those of all calls.
        (&["--count", "many"], json!({ "count": "many" })),
        (&[], json!({})),
    ] {
        assert_eq!(parsed(words), Ok(value), "{words:?}");
    }
}

#[test]
fn what_is_no_argument_is_told() {
    for (words, told) in [
        (&["--titel", "x"][..], "`t` has no argument `titel`"),
        (&["x"], "`x` is not an argument of `t`"),
        (&["--title"], "The argument `--title` has no value"),
        (
            &["--title", "--count"],
            "The argument `--title` has no value",
        ),
        (
            &["--title", "a", "--title", "b"],
            "`--title` is given twice",
        ),
    ] {
        let error = parsed(words).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    let words = ["--titel".to_owned(), "x".to_owned()];
    let error = parse(&tool(), &words).unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `--title`?");
    assert!(error.facts()[0].1.starts_with("--title, --count"));
}

#[test]
fn kinds_and_examples_are_in_words() {
    let tool = tool();
    let told: Vec<_> = arguments(&tool)
        .iter()
        .map(|argument| format!("{}: {}", argument.example(), argument.kind()))
        .collect();
    assert_eq!(
        told,
        [
            "--title text: string",
            "--count 1: integer",
            "--loud true: boolean",
            "--tags '[\"text\"]': list of string",
            "--limit 1: integer",
            "--at '{\"x\":1}': object {x: number}",
            "--unit metric: one of metric, imperial",
        ]
    );
}
