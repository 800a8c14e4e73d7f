//! The main job on the command line: load, list, call, inspect, unload.

use std::fs;

use serde_json::{Value, json};

use crate::support::cli::Cli;

const ADD: &str = r#"(component
    (core module $m
        (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1))))
    (core instance $i (instantiate $m))
    (func (export "add") (param "a" s32) (param "b" s32) (result s32)
        (canon lift (core func $i "add"))))"#;

fn subtract() -> String {
    ADD.replace("i32.add", "i32.sub")
}

#[test]
fn a_text_component_goes_all_the_way() {
    let cli = Cli::new();
    let file = cli.file("Calc Tool.wat", ADD);
    let loaded = cli.load(&file);
    assert_eq!(loaded["component_id"], "calc-tool");
    assert_eq!(loaded["status"], "new");
    assert_eq!(loaded["tool_names"], json!(["add"]));
    assert_eq!(loaded["requested_permissions"], Value::Null);

    let dir = cli.root().join("components/calc-tool");
    for file in [
        "calc-tool.wasm",
        "calc-tool.metadata.json",
        "calc-tool.cwasm",
    ] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    let answer = cli.json(["call", "add", "--args", r#"{"a": 40, "b": 2}"#]);
    assert_eq!(answer, json!({"result": 42}));
    let listed = cli.json(["list"]);
    assert_eq!(listed["components"][0]["id"], "calc-tool");
    assert_eq!(listed["components"][0]["tool_names"], json!(["add"]));

    let unloaded = cli.json(["unload", "calc-tool"]);
    assert_eq!(unloaded["component_id"], "calc-tool");
    assert!(!dir.exists());
    assert_eq!(cli.json(["list"]), json!({"components": []}));
    assert!(cli.is_tidy());
}

#[test]
fn the_same_content_is_already_loaded_and_another_replaces_it() {
    let cli = Cli::new();
    let file = cli.file("calc.wat", ADD);
    assert_eq!(cli.load(&file)["status"], "new");
    assert_eq!(cli.load(&file)["status"], "already-loaded");
    // Touch the file: the time changes, the bytes do not.
    fs::write(&file, ADD).unwrap();
    assert_eq!(cli.load(&file)["status"], "already-loaded");
    fs::write(&file, subtract()).unwrap();
    assert_eq!(cli.load(&file)["status"], "replaced");
    let answer = cli.json(["call", "add", "--args", r#"{"a": 40, "b": 2}"#]);
    assert_eq!(answer, json!({"result": 38}));
    assert!(cli.is_tidy());
}

#[test]
fn an_id_is_never_taken_from_another_source() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", ADD));
    fs::create_dir(cli.root().join("other")).unwrap();
    let other = cli.root().join("other/calc.wat");
    fs::write(&other, subtract()).unwrap();
    let other = other.to_str().unwrap();
    insta::assert_snapshot!(cli.failure(["load", "--uri", other]));
    let named = cli.json(["load", "--uri", other, "--name", "other"]);
    assert_eq!(named["component_id"], "other");
    // Both export `add`: the tool of the second is offered under its id.
    let answer = cli.json(["call", "other_add", "--args", r#"{"a": 1, "b": 2}"#]);
    assert_eq!(answer, json!({"result": -1}));
    let answer = cli.json(["call", "add", "--args", r#"{"a": 1, "b": 2}"#]);
    assert_eq!(answer, json!({"result": 3}));
}

#[test]
fn a_digest_is_held_to() {
    let cli = Cli::new();
    let file = cli.file("calc.wasm", wat::parse_str(ADD).unwrap());
    let file = file.to_str().unwrap();
    let wrong = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let ended = cli.run(["load", "--uri", file, "--digest", wrong]);
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("required: sha256:e3b0"),
        "{}",
        ended.stderr
    );
    assert_eq!(cli.json(["list"]), json!({"components": []}));
    assert!(cli.is_tidy());
    let right = wassette::digest::Digest::of(&fs::read(file).unwrap()).to_string();
    let loaded = cli.json(["load", "--uri", file, "--digest", &right]);
    assert_eq!(loaded["receipt"]["trust"], "pinned");
}

#[test]
fn inspect_shows_a_source_without_installing_it() {
    let cli = Cli::new();
    let file = cli.file("calc.wat", ADD);
    let shown = cli.json(["inspect", "./calc.wat"]);
    assert_eq!(shown["tools"][0]["normalized_name"], "add");
    assert!(
        shown["wit"]
            .as_str()
            .unwrap()
            .contains("export add: func(a: s32, b: s32) -> s32")
    );
    assert!(!cli.root().join("components").exists());
    cli.load(&file);
    let installed = cli.json(["inspect", "calc"]);
    assert_eq!(installed["digests"], shown["digests"]);
}

#[test]
fn a_changed_file_in_the_store_is_not_served() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", ADD));
    cli.load(&cli.file("sub.wat", subtract().replace("\"add\"", "\"sub\"")));
    let wasm = cli.root().join("components/calc/calc.wasm");
    let mut bytes = fs::read(&wasm).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&wasm, bytes).unwrap();
    let listed = cli.json(["list"]);
    let damaged = listed["components"].as_array().unwrap();
    assert!(
        damaged
            .iter()
            .any(|c| c["id"] == "calc" && c["status"] == "damaged")
    );
    assert_eq!(cli.run(["call", "add"]).code, 3);
    let answer = cli.json(["call", "sub", "--args", r#"{"a": 3, "b": 2}"#]);
    assert_eq!(answer, json!({"result": 1}));
    // Loading it again repairs it.
    assert_eq!(cli.load(&cli.file("calc.wat", ADD))["status"], "new");
}

#[test]
fn a_force_compile_makes_the_code_again() {
    let cli = Cli::new();
    let file = cli.file("calc.wat", ADD);
    cli.load(&file);
    let cwasm = cli.root().join("components/calc/calc.cwasm");
    let before = fs::metadata(&cwasm).unwrap().modified().unwrap();
    let uri = file.to_str().unwrap();
    let again = cli.json(["load", "--uri", uri, "--force-compile"]);
    assert_eq!(again["status"], "already-loaded");
    assert!(fs::metadata(&cwasm).unwrap().modified().unwrap() > before);
}

#[test]
fn every_format_is_what_it_says() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", ADD));
    assert!(cli.run(["list"]).stdout.contains("calc"));
    assert!(cli.run(["list", "-o", "yaml"]).stdout.contains("id: calc"));
    let error = cli.run(["unload", "absent", "-o", "json"]);
    assert_eq!(error.code, 3);
    let report: Value = serde_json::from_str(&error.stderr).unwrap();
    assert_eq!(report["code"], "component-not-found");
    assert_eq!(report["causes"], json!([]));
    assert!(report["message"].is_string() && report["hint"].is_string());
}

#[test]
fn the_catalog_is_searched_by_every_term() {
    let cli = Cli::new();
    let found = cli.json(["registry", "search", "WEATHER", "js"]);
    let names: Vec<_> = found["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["get-weather-js", "get-open-meteo-weather-js"]);
    assert_eq!(
        cli.json(["registry", "search", "weather", "absent"]),
        json!({"components": []})
    );
    let all = cli.json(["registry", "list"]);
    assert!(all["components"].as_array().unwrap().len() >= 11);
}
