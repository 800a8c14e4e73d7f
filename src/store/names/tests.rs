use serde_json::{Map, json};

use super::*;
use crate::schema::{ExportPath, Outcome};

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * 3600).unwrap()
}

/// A component with these tools, installed at this hour.
fn component(id: &str, source: &str, tools: &[&str], hour: i64) -> Metadata {
    let digest = crate::digest::Digest::of(b"");
    let record = |name: &&str| ToolRecord {
        name: (*name).into(),
        normalized_name: (*name).into(),
        description: String::new(),
        input_schema: Map::new(),
        output_schema: Map::new(),
        export: ExportPath {
            interface: None,
            function: (*name).into(),
        },
        outcome: Outcome::Plain,
    };
    serde_json::from_value(json!({
        "format": 2,
        "component_id": id,
        "created_at": at(hour),
        "source": source,
        "identity": { "kind": "file", "size": 1, "mtime_ns": 1 },
        "digests": { "component": digest, "manifest": null },
        "trust": "digest",
        "receipt": {
            "source_host": null, "hosts_tried": [], "manifest_digest": null,
            "content_digest": digest, "bytes_downloaded": 0, "requests": 0, "retries": 0,
            "bytes_resumed": 0, "openness": "public", "fetch_ms": 0,
        },
        "validation_stamp": { "file_size": 1, "mtime": 1, "content_hash": digest },
        "component_info": { "world": "w", "exports": [], "imports": [] },
        "tools": tools.iter().map(record).collect::<Vec<_>>(),
        "requested_permissions": null,
    }))
    .unwrap()
}

fn listed(names: &Names, component: &Metadata) -> Vec<String> {
    let names = names.of(component).into_iter();
    names
        .filter(|name| name.listed)
        .map(|name| name.name)
        .collect()
}

#[test]
fn a_newcomer_is_prefixed_and_the_first_keeps_its_name() {
    let mut names = Names {
        builtin: HashSet::from(["load-component".to_owned()]),
        ..Names::default()
    };
    let a = component("a", "file:///a.wasm", &["get"], 1);
    let b = component("b", "file:///b.wasm", &["get", "load-component"], 2);
    names.give(&a, at(1));
    names.give(&b, at(2));
    assert_eq!(listed(&names, &a), ["get"]);
    assert_eq!(listed(&names, &b), ["b_get", "b_load-component"]);
}

#[test]
fn a_name_waits_thirty_days_for_the_tool_that_had_it() {
    let mut names = Names::default();
    let a = component("a", "file:///a.wasm", &["get"], 1);
    let b = component("b", "file:///b.wasm", &["get"], 2);
    names.give(&a, at(0));
    names.free(&a.component_id, at(1));
    names.give(&b, at(2));
    assert_eq!(listed(&names, &b), ["b_get"]);
    names.give(&a, at(3));
    assert_eq!(listed(&names, &a), ["get"]);
    names.free(&a.component_id, at(4));
    names.tidy(|id| *id == b.component_id, at(4 + 30 * 24 + 1));
    let c = component("c", "file:///c.wasm", &["get"], 5);
    names.give(&c, at(4 + 30 * 24 + 1));
    assert_eq!(listed(&names, &c), ["get"]);
    // A tool keeps the other name by which it was called.
    assert_eq!(listed(&names, &b), ["b_get"]);
}

#[test]
fn another_source_under_the_same_id_is_another_component() {
    let mut names = Names::default();
    let first = component("a", "file:///a.wasm", &["get"], 1);
    let other = component("a", "file:///evil.wasm", &["get"], 2);
    names.give(&first, at(1));
    names.free(&first.component_id, at(2));
    names.give(&other, at(3));
    assert_eq!(listed(&names, &other), ["a_get"]);
    assert!(names.of(&first).is_empty());
}

#[test]
fn an_update_and_its_way_back_change_no_name() {
    let mut names = Names::default();
    let a = component("a", "file:///a.wasm", &["get", "put"], 1);
    let newer = component("a", "file:///a.wasm", &["get", "list"], 2);
    let b = component("b", "file:///b.wasm", &["put"], 3);
    names.give(&a, at(1));
    names.give(&newer, at(2));
    assert_eq!(listed(&names, &newer), ["get", "list"]);
    // `put` is reserved, for a rollback.
    names.give(&b, at(3));
    assert_eq!(listed(&names, &b), ["b_put"]);
    names.give(&a, at(4));
    assert_eq!(listed(&names, &a), ["get", "put"]);
}

#[test]
fn without_a_record_the_older_component_has_the_first_choice() {
    let a = component("a", "file:///a.wasm", &["get"], 2);
    let b = component("b", "file:///b.wasm", &["get"], 1);
    for installed in [[&a, &b], [&b, &a]] {
        let mut names = Names::default();
        names.complete(installed, at(9));
        assert_eq!(listed(&names, &b), ["get"]);
        assert_eq!(listed(&names, &a), ["a_get"]);
    }
}

#[test]
fn what_vanished_without_being_unloaded_keeps_its_names_for_a_while() {
    let mut names = Names::default();
    let a = component("a", "file:///a.wasm", &["get"], 1);
    names.give(&a, at(0));
    names.tidy(|_| false, at(1));
    assert!(names.of(&a).is_empty());
    assert!(!names.is_free("get", at(30 * 24)));
    assert!(names.is_free("get", at(30 * 24 + 2)));
}

#[test]
fn a_person_can_give_names_up() {
    let mut names = Names::default();
    let a = component("a", "file:///a.wasm", &["get"], 1);
    let b = component("b", "file:///b.wasm", &["get"], 2);
    names.give(&a, at(1));
    names.forget(&a.component_id);
    names.give(&b, at(2));
    assert_eq!(listed(&names, &b), ["get"]);
}

#[test]
fn long_names_of_older_stores_stay_callable_but_are_not_listed() {
    let mut names = Names::default();
    let long = "x".repeat(crate::schema::MAX_TOOL_NAME + 10);
    let a = component("a", "file:///a.wasm", &[&long], 1);
    names.complete([&a], at(1));
    let found = names.of(&a);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].listed && found[0].name.len() <= crate::schema::MAX_TOOL_NAME);
    assert_eq!((found[1].listed, &found[1].name), (false, &long));
    // Also after an update, but not after it was unloaded.
    names.give(&a, at(2));
    assert_eq!(names.of(&a), found);
    names.free(&a.component_id, at(3));
    names.give(&a, at(4));
    assert_eq!(names.of(&a), found[..1]);
}
