use serde_json::{Map, Value, json};

use super::fit::misfit;
use super::*;
use crate::schema::{ExportPath, Outcome};

fn tool(name: &str, arguments: Value, required: Value) -> ToolRecord {
    let schema = json!({
        "type": "object", "properties": arguments, "required": required,
        "additionalProperties": false,
    });
    ToolRecord {
        name: name.into(),
        normalized_name: name.into(),
        description: format!("{name} of the component"),
        input_schema: schema.as_object().unwrap().clone(),
        output_schema: Map::new(),
        export: ExportPath {
            interface: None,
            function: name.into(),
        },
        outcome: Outcome::Plain,
    }
}

fn tools() -> Vec<ToolRecord> {
    let text = json!({ "type": "string" });
    let units = json!({ "type": "string", "enum": ["metric", "imperial"] });
    vec![
        tool(
            "get-weather",
            json!({ "city": text, "units": units }),
            json!(["city", "units"]),
        ),
        tool(
            "forecast",
            json!({ "days": { "type": "integer", "minimum": 1 } }),
            json!(["days"]),
        ),
        tool("reset", json!({}), json!([])),
    ]
}

fn rules(rules: Value) -> ToolRules {
    serde_json::from_value(rules).unwrap()
}

fn names(shaped: &Shaped) -> Vec<&str> {
    let tools = shaped.tools.iter();
    tools
        .map(|tool| {
            tool.renamed
                .as_deref()
                .unwrap_or(&tool.record.normalized_name)
        })
        .collect()
}

#[test]
fn without_rules_everything_stays_as_it_is() {
    let shaped = ToolRules::default().shape(&tools());
    let records: Vec<_> = shaped.tools.into_iter().map(|tool| tool.record).collect();
    assert_eq!(records, tools());
    assert!(ToolRules::nothing().shape(&tools()).tools.is_empty());
}

#[test]
fn only_what_is_allowed_and_not_denied_is_offered() {
    for (given, offered) in [
        (json!({ "allow": ["reset"] }), &["reset"][..]),
        (json!({ "deny": ["reset"] }), &["get-weather", "forecast"]),
        (
            json!({ "allow": ["reset", "forecast"], "deny": ["reset"] }),
            &["forecast"],
        ),
        (json!({ "allow": [] }), &[]),
    ] {
        assert_eq!(names(&rules(given).shape(&tools())), offered);
    }
}

#[test]
fn the_stricter_of_two_rules_counts_and_the_local_one_names() {
    let manifest = rules(json!({ "allow": ["reset", "forecast"], "rename": { "forecast": "a" } }));
    let config = rules(json!({ "deny": ["reset"], "rename": { "forecast": "b" } }));
    assert_eq!(names(&manifest.clone().and(config).shape(&tools())), ["b"]);
    let config = rules(json!({ "allow": ["get-weather", "reset"] }));
    assert_eq!(names(&manifest.and(config).shape(&tools())), ["reset"]);
}

#[test]
fn a_fixed_argument_vanishes_and_a_default_need_not_be_given() {
    let shaped = rules(json!({
        "describe": { "get-weather": "Weather" },
        "defaults": { "get-weather": { "units": "metric" } },
        "fixed": { "get-weather": { "city": "Oslo" } },
    }))
    .shape(&tools());
    let RuledTool { record, given, .. } = &shaped.tools[0];
    assert_eq!(record.description, "Weather");
    assert_eq!(record.input_schema["required"], json!([]));
    assert_eq!(
        record.input_schema["properties"],
        json!({ "units": {
            "type": "string", "enum": ["metric", "imperial"], "default": "metric"
        } })
    );
    let completed = |arguments: Value| {
        let mut arguments = arguments.as_object().unwrap().clone();
        given
            .complete(&mut arguments, ["units"].into_iter())
            .map(|()| Value::from(arguments))
    };
    let both = |units: &str| Ok(json!({ "city": "Oslo", "units": units }));
    assert_eq!(completed(json!({})), both("metric"));
    assert_eq!(completed(json!({ "units": null })), both("metric"));
    assert_eq!(completed(json!({ "units": "imperial" })), both("imperial"));
    assert_eq!(completed(json!({ "city": "Oslo" })), both("metric"));
    assert_eq!(
        completed(json!({ "Units": "imperial" })),
        Ok(json!({ "city": "Oslo", "Units": "imperial" }))
    );
    assert_eq!(completed(json!({ "CITY": "Oslo" })), both("metric"));
    for name in ["city", "City"] {
        let refused = FixedArgument {
            name: name.to_owned(),
        };
        assert_eq!(completed(json!({ name: "Rome" })), Err(refused));
    }
}

#[test]
fn a_fixed_argument_is_met_by_its_long_name_too() {
    let long = "l".repeat(80);
    let short = property_name(&long).into_owned();
    let given = Given {
        fixed: Map::from_iter([(short.clone(), json!(1))]),
        ..Given::default()
    };
    let mut arguments = Map::from_iter([(long.clone(), json!(2))]);
    given.complete(&mut arguments, [].into_iter()).unwrap_err();
    let mut arguments = Map::from_iter([(long, json!(1))]);
    given.complete(&mut arguments, [].into_iter()).unwrap();
    assert_eq!(arguments, Map::from_iter([(short, json!(1))]));
}

#[test]
fn what_cannot_be_carried_out_is_told_and_hides_the_tool() {
    for (given, told) in [
        (
            json!({ "deny": ["get-wether"] }),
            "did you mean `get-weather`?",
        ),
        (
            json!({ "allow": ["zzz"] }),
            "its tools are `get-weather`, `forecast`, `reset`",
        ),
        (
            json!({ "rename": { "reset": "forecast" } }),
            "taken by the tool `forecast`",
        ),
        (
            json!({ "rename": { "reset": "x", "forecast": "x" } }),
            "the name `x` is taken by",
        ),
        (
            json!({ "rename": { "reset": "a b" } }),
            "`a b` is not a tool name",
        ),
        (json!({ "rename": { "reset": "" } }), "is not a tool name"),
        (
            json!({ "fixed": { "get-weather": { "unit": 1 } } }),
            "did you mean `units`?",
        ),
        (
            json!({ "fixed": { "reset": { "unit": 1 } } }),
            "it has no arguments",
        ),
        (
            json!({ "defaults": { "get-weather": { "units": "kelvin" } } }),
            "it is none of \"metric\", \"imperial\"",
        ),
        (
            json!({ "fixed": { "forecast": { "days": "3" } } }),
            "not of the type integer",
        ),
        (
            json!({ "fixed": { "forecast": { "days": 0 } } }),
            "too small or too large",
        ),
        (
            json!({ "fixed": { "forecast": { "days": null } } }),
            "not of the type integer",
        ),
    ] {
        let shaped = rules(given.clone()).shape(&tools());
        let fault = &shaped.faults[0];
        assert!(fault.to_string().contains(told), "{given}: {fault}");
        assert!(!names(&shaped).contains(&&*fault.tool), "{given}");
    }
}

#[test]
fn a_name_may_be_taken_over_from_a_tool_that_is_not_offered_by_it() {
    for given in [
        json!({ "deny": ["forecast"], "rename": { "reset": "forecast" } }),
        json!({ "rename": { "reset": "forecast", "forecast": "reset" } }),
        json!({ "rename": { "reset": "reset" } }),
    ] {
        assert_eq!(rules(given).shape(&tools()).faults, []);
    }
}

#[test]
fn tools_may_be_named_as_inspect_shows_them_with_their_component() {
    let id = ComponentId::parse("acme").unwrap();
    let given =
        rules(json!({ "deny": ["acme_reset"], "fixed": { "acme_forecast": { "days": 1 } } }));
    let resolved = given.resolved(&id, &tools(), NameLength::default());
    let own = rules(json!({ "deny": ["reset"], "fixed": { "forecast": { "days": 1 } } }));
    assert_eq!(resolved, own);
}

#[test]
fn changes_of_rules_are_told_tool_by_tool() {
    let before = rules(json!({
        "deny": ["reset"], "rename": { "forecast": "f" }, "fixed": { "get-weather": { "city": "a" } },
    }));
    let now = rules(json!({
        "deny": ["forecast"], "describe": { "get-weather": "W" },
        "defaults": { "get-weather": { "units": "metric" } },
    }));
    let told = serde_json::to_value(before.changes_to(&now, &tools())).unwrap();
    assert_eq!(
        told,
        json!([
            { "tool": "get-weather", "effect": "described", "description": "W" },
            { "tool": "get-weather", "effect": "default", "argument": "units", "value": "metric" },
            { "tool": "get-weather", "effect": "no-longer-fixed", "argument": "city" },
            { "tool": "forecast", "effect": "hidden" },
            { "tool": "reset", "effect": "offered" },
        ])
    );
    assert_eq!(before.changes_to(&before, &tools()), []);
}

#[test]
fn values_fit_as_a_general_validator_finds() {
    let schemas = [
        json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        json!({ "type": "boolean" }),
        json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
        json!({ "type": "number" }),
        json!({ "anyOf": [
            { "type": "integer", "minimum": -5, "maximum": 5 },
            { "type": "string", "pattern": "^-?[0-9]{1,20}$" },
        ] }),
        json!({ "type": "string", "pattern": "^[0-9]{1,20}$" }),
        json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 2 }),
        json!({ "type": "array", "items": { "enum": ["a", "b"] }, "uniqueItems": true }),
        json!({
            "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"],
            "additionalProperties": false,
        }),
        json!({
            "type": "object", "properties": {}, "additionalProperties": { "type": "null" },
        }),
    ];
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(2.0),
        json!(256),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("-12"),
        json!("12"),
        json!("1x"),
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!(["a", "b", "c"]),
        json!([1]),
        json!({}),
        json!({ "a": 1 }),
        json!({ "a": "x" }),
        json!({ "a": 1, "b": 2 }),
        json!({ "b": null }),
    ];
    for schema in &schemas {
        for value in &values {
            assert_eq!(
                misfit(value, schema).is_none(),
                jsonschema::is_valid(schema, value),
                "{value} {schema}"
            );
        }
    }
}
