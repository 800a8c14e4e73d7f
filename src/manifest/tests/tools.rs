use serde_json::{Value, json};

use super::*;

fn rules(text: &str) -> ToolRules {
    let text = format!("components: [{{uri: a.wasm, name: a, {text}}}]\n");
    loaded(&text).entries.remove(0).tools
}

#[test]
fn rules_for_tools_are_read_with_their_values() {
    let text = "tools: {allow: [get-weather], rename: {get-weather: weather}, describe: \
                {get-weather: \"…\"}, defaults: {get-weather: {units: metric}}, fixed: \
                {get-weather: {key: '${TOKEN}', days: 3, deep: {yes: true, no: null, x: [1.5]}}}}";
    let expected: Value = json!({
        "allow": ["get-weather"],
        "rename": { "get-weather": "weather" },
        "describe": { "get-weather": "…" },
        "defaults": { "get-weather": { "units": "metric" } },
        "fixed": { "get-weather": {
            "key": "s3cret-t0ken", "days": 3, "deep": { "yes": true, "no": null, "x": [1.5] },
        } },
    });
    assert_eq!(json!(rules(text)), expected);
}

#[test]
fn no_rules_differ_from_rules_that_allow_nothing() {
    for none in ["tools: {}", "tools: null", "retry: {}", "tools: {deny: []}"] {
        assert!(rules(none).is_empty(), "{none}");
    }
    for nothing in ["tools: {allow: []}", "tools: {allow: }"] {
        assert_eq!(rules(nothing), ToolRules::nothing(), "{nothing}");
    }
}

#[test]
fn the_hash_of_an_entry_is_of_its_rules_too() {
    let written = |text: &str| {
        let text = format!("components: [{{uri: a.wasm, name: a, {text}}}]\n");
        loaded(&text).entries.remove(0).written
    };
    let rules = "tools: {fixed: {x: {a: true, b: '${TOKEN}'}}}";
    let first = written(rules);
    let reordered = written("tools: {fixed: {x: {b: '${TOKEN}', a: true}}}");
    assert_eq!((first.hash, first.tools), (reordered.hash, reordered.tools));
    for other in [
        "tools: {fixed: {x: {a: false, b: '${TOKEN}'}}}",
        "tools: {fixed: {x: {a: null, b: '${TOKEN}'}}}",
        "tools: {fixed: {x: {b: '${TOKEN}'}}}",
        "tools: {defaults: {x: {a: true, b: '${TOKEN}'}}}",
    ] {
        let other = written(other);
        assert!(other.hash != first.hash && other.tools != first.tools);
    }
    assert_eq!(written("retry: {}").tools, None);
}

#[test]
fn an_export_has_the_rules_as_they_were_expanded() {
    let text = "tools: {deny: [x], fixed: {y: {z: 'a${TOKEN}', w: '$${NOT}'}}}";
    let digest = crate::digest::Digest::of(b"");
    let exported = Exported {
        id: ComponentId::parse("a").unwrap(),
        source: "file:///a.wasm".parse().unwrap(),
        digest,
        granted: Policy::default(),
        trust: None,
        tools: rules(text),
    };
    let document = export(&[exported]).to_string();
    let again = loaded(&document).entries.remove(0).tools;
    assert_eq!(again, rules(text));
}
