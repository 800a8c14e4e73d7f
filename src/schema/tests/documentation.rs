//! Descriptions from `package-docs`.

use wit_parser::PackageMetadata;

use super::{component, described, encode, parse, tool};
use crate::schema::describe;

/// Adds a custom section at the end of a component.
fn with_section(mut wasm: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut content = vec![u8::try_from(name.len()).unwrap()];
    content.extend(name.as_bytes());
    content.extend(data);
    wasm.push(0);
    let mut size = content.len();
    while size >= 0x80 {
        wasm.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    wasm.push(size as u8);
    wasm.extend(content);
    wasm
}

const WIT: &str = "
    package t:t@1.0.0;

    /// Works with numbers.
    interface math {
        /// One point.
        record point {
            /// How far to the right.
            x: s32,
            y: s32,
        }
        enum level {
            /// Hardly.
            low,
            high,
        }
        /// Adds all points.
        add: func(points: list<point>, level: level) -> point;
        bare: func();
    }

    /// The world of a test.
    world original-name {
        /// Says hello.
        export hello: func(name: string) -> string;
        /// In the world.
        export inline: interface {
            /// Runs inline.
            run: func();
        }
        export math;
    }";

/// The section of the WIT package, unchanged, as in published components.
fn documented() -> Vec<u8> {
    let (resolve, package) = parse(WIT);
    let section = PackageMetadata::extract(&resolve, package)
        .encode()
        .unwrap();
    with_section(
        encode(&resolve, package),
        PackageMetadata::SECTION_NAME,
        &section,
    )
}

#[test]
fn doc_comments_become_descriptions() {
    let description = describe(&documented(), "demo").unwrap();
    assert_eq!(tool(&description, "hello").description, "Says hello.");
    assert_eq!(tool(&description, "run").description, "Runs inline.");
    let add = tool(&description, "add");
    assert_eq!(add.description, "Adds all points.");
    let point = &add.input_schema["properties"]["points"]["items"];
    assert_eq!(point["description"], "One point.");
    assert_eq!(
        point["properties"]["x"]["description"],
        "How far to the right."
    );
    assert_eq!(
        add.input_schema["properties"]["level"]["description"],
        "low: Hardly."
    );
    assert!(
        description.wit.contains("/// Adds all points."),
        "{}",
        description.wit
    );
}

#[test]
fn without_documentation_the_place_is_named() {
    let description = describe(&documented(), "demo").unwrap();
    assert_eq!(
        tool(&description, "bare").description,
        "Function `bare` of interface `t:t/math@1.0.0` in component `demo`."
    );
    let description = described("package t:t; world w { export add: func(); }");
    assert_eq!(
        tool(&description, "add").description,
        "Function `add` of component `demo`."
    );
}

fn with_docs(json: &str) -> Vec<u8> {
    let wasm = component("package t:t; world w { export f: func(); }");
    with_section(wasm, "package-docs", &[&[1], json.as_bytes()].concat())
}

#[test]
fn version_0_has_plain_strings() {
    let wasm = with_docs(r#"{"worlds":{"w":{"funcs":{"f":"Plain."}}}}"#);
    let description = describe(&wasm, "demo").unwrap();
    assert_eq!(tool(&description, "f").description, "Plain.");
}

#[test]
fn documentation_never_makes_a_load_fail() {
    let default = "Function `f` of component `demo`.";
    for json in [
        "",
        "[]",
        "{",
        r#"{"worlds": 1}"#,
        r#"{"worlds":{"w":{"func_exports":{"f":[]}}}}"#,
        r#"{"worlds":{"w":{"func_exports":{"other":{"docs":"x"}}}},"interfaces":{"gone":{}}}"#,
        r#"{"worlds":{"w":{"func_exports":{"f":{"docs":"  \u200b"}}}}}"#,
    ] {
        let description = describe(&with_docs(json), "demo").expect(json);
        assert_eq!(tool(&description, "f").description, default, "{json}");
    }
    let twice = with_section(with_docs("{}"), "package-docs", b"\x07");
    assert!(describe(&twice, "demo").is_ok());
}

#[test]
fn hidden_text_is_removed_and_long_text_cut() {
    let hidden = "A\\u200b\\u202ed\\ud83d\\ude00d\\u0007s.\\n\\udb40\\udc41ok";
    let json = format!(r#"{{"worlds":{{"w":{{"func_exports":{{"f":{{"docs":"{hidden}"}}}}}}}}}}"#);
    let description = describe(&with_docs(&json), "demo").unwrap();
    assert_eq!(tool(&description, "f").description, "Ad😀ds.\nok");

    let long = "é".repeat(10_000);
    let json = format!(r#"{{"worlds":{{"w":{{"func_exports":{{"f":{{"docs":"{long}"}}}}}}}}}}"#);
    let description = describe(&with_docs(&json), "demo").unwrap();
    assert_eq!(tool(&description, "f").description.chars().count(), 2_001);
}

#[test]
fn two_interfaces_of_one_name_share_nothing() {
    let wasm = component(
        "package top:level;
         package a:a { interface api { f: func(); } }
         package b:b { interface api { f: func(); } }
         world w { export a:a/api; export b:b/api; }",
    );
    let json = br#"{"interfaces":{"api":{"funcs":{"f":{"docs":"Whose?"}}}}}"#;
    let wasm = with_section(wasm, "package-docs", &[&[1], json.as_slice()].concat());
    let description = describe(&wasm, "demo").unwrap();
    for function in &description.functions {
        assert!(function.description.starts_with("Function `f`"));
    }
}
