//! Tests of `describe` with valid components.

use serde_json::{Value, json};

use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Engine, Store};

use super::{component, described, reason, tool};
use crate::schema::{SchemaError, ToolRecord, describe};

#[test]
fn what_json_cannot_hold_is_listed_with_the_reason() {
    let description = described(
        "package t:t; world w { export api: interface {
            resource file {
                constructor(name: string);
                read: func() -> string;
                open: static func() -> string;
            }
            record holder { file: own<file> }
            take: func(h: holder);
            give: func() -> list<file>;
            plain: func();
        } }",
    );
    assert_eq!(
        reason(&description, "take"),
        "parameter `h` contains a resource"
    );
    assert_eq!(
        reason(&description, "give"),
        "the result contains a resource"
    );
    for function in [
        "[constructor]file",
        "[method]file.read",
        "[static]file.open",
    ] {
        assert_eq!(
            reason(&description, function),
            "it belongs to the resource `file`"
        );
    }
    let tools = description.tools().expect("one function is callable");
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0].normalized_name, "api_plain");
}

#[test]
fn streams_and_futures_are_no_json() {
    let wat = r#"(component
        (core module $m (func (export "f") (param i32)))
        (core instance $i (instantiate $m))
        (func (export "s") (param "x" (stream u8)) (canon lift (core func $i "f")))
        (func (export "t") (param "x" (future string)) (canon lift (core func $i "f")))
    )"#;
    let description = describe(&wat::parse_str(wat).unwrap(), "demo").unwrap();
    assert_eq!(reason(&description, "s"), "parameter `x` contains a stream");
    assert_eq!(reason(&description, "t"), "parameter `x` contains a future");
    let error = description.tools().unwrap_err();
    assert_eq!(
        error.to_string(),
        "The component has no function that can be called: \
         `s`: parameter `x` contains a stream; and 1 more"
    );
}

#[test]
fn imports_are_told_apart() {
    let description = described(
        "package t:t;
         interface plain { record r { a: u8 } }
         interface host { log: func(text: string); }
         world w {
            import plain; import host; import ask: func() -> string;
            export f: func();
         }
         ",
    );
    let unknown = ["t:t/host", "ask"];
    assert_eq!(description.unknown_imports, unknown);
    let error = description.tools().unwrap_err();
    let names = unknown.map(str::to_owned).to_vec();
    assert_eq!(error, SchemaError::UnknownImports { names });
    assert!(error.to_string().contains("`t:t/host`, `ask`"), "{error}");
}

#[test]
fn wasi_0_2_is_provided() {
    use crate::schema::is_provided;
    for import in [
        "wasi:io/poll@0.2.0",
        "wasi:cli/environment@0.2.12",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:config/store@0.2.0-draft",
    ] {
        assert!(is_provided(import), "{import}");
    }
    for import in [
        "wasi:io/poll",
        "wasi:io/poll@0.3.0",
        "wasi:io/poll@0.2.0-rc-2023-11-10",
        "wasi:io/pollution@0.2.0",
        "wasi:config/store@0.2.0",
        "wasi:keyvalue/store@0.2.0",
        "evil:wasi:io/poll@0.2.0",
        "io",
    ] {
        assert!(!is_provided(import), "{import}");
    }
}

#[test]
fn the_world_is_listed_in_full() {
    let description = described(
        "package a:b@1.2.3;
         interface api { f: func(); }
         world w { export api; export run: func(); }",
    );
    assert_eq!(description.exports, ["run", "a:b/api@1.2.3"]);
    assert_eq!(description.world, "root");
    assert!(
        description.wit.contains("export run: func();"),
        "{}",
        description.wit
    );
    assert!(
        description.wit.contains("package a:b@1.2.3"),
        "{}",
        description.wit
    );
    let record = tool(&description, "f");
    assert_eq!(record.name, "a:b/api@1.2.3#f");
    assert_eq!(record.normalized_name, "a_b_api_f");
}

#[test]
fn records_survive_their_file() {
    // The deepest types that are offered, parsed by a parser that stops at 128 levels.
    let mut types = "variant v0 { a(u8) }".to_owned();
    for level in 1..=23 {
        types += &format!("variant v{level} {{ a(option<v{}>) }}", level - 1);
    }
    let wit = |level: usize| {
        format!(
            "package t:t; world w {{ export api: interface {{
                {types} f: func(x: v{level}) -> v{level}; g: func();
            }} }}"
        )
    };
    let description = described(&wit(11));
    let record = tool(&description, "f");
    let wrapped = json!({ "result": { "tools": [record] } }).to_string();
    let back: Value = serde_json::from_str(&wrapped).expect("JSON that parsers take");
    let back: ToolRecord = serde_json::from_value(back["result"]["tools"][0].clone()).unwrap();
    assert_eq!(&back, record);

    let description = described(&wit(23));
    assert_eq!(
        reason(&description, "f"),
        "parameter `x` nests types more than 24 levels deep"
    );
}

#[test]
fn types_that_explode_are_refused_one_by_one() {
    let mut types = "record r0 { a: u8 }".to_owned();
    for level in 1..=15 {
        let below = level - 1;
        types += &format!("record r{level} {{ a: r{below}, b: r{below} }}");
    }
    let wit = format!(
        "package t:t; world w {{ export api: interface {{
            {types} small: func(x: r3); large: func(x: r15);
        }} }}"
    );
    let description = described(&wit);
    tool(&description, "small");
    assert!(reason(&description, "large").contains("schema of more than"));
}

#[test]
fn two_hundred_exports_are_two_hundred_tools() {
    let exports: String = (0..200)
        .map(|n| format!("export do{n}: func(x: u32) -> string;"))
        .collect();
    let description = described(&format!("package t:t; world w {{ {exports} }}"));
    let tools = description.tools().unwrap();
    assert_eq!(tools.len(), 200);
    assert_eq!(tools[199].normalized_name, "do199");
}

/// The runtime can call components that use the features which the validator accepts.
#[tokio::test]
async fn async_functions_are_tools() {
    let wat = r#"(component
        (core module $m
            (import "" "return" (func $return (param i32)))
            (func (export "f") (param i32) (result i32)
                (call $return (local.get 0)) (i32.const 0))
            (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
        (canon task.return (result u32) (core func $return))
        (core instance $i (instantiate $m
            (with "" (instance (export "return" (func $return))))))
        (func (export "same") async (param "x" u32) (result u32)
            (canon lift (core func $i "f") async (callback (core func $i "cb"))))
    )"#;
    let wasm = wat::parse_str(wat).unwrap();
    let description = describe(&wasm, "demo").unwrap();
    assert_eq!(tool(&description, "same").normalized_name, "same");

    let engine = Engine::default();
    let component = Component::new(&engine, &wasm).unwrap();
    let mut store = Store::new(&engine, ());
    let linker = Linker::new(&engine);
    let instance = linker
        .instantiate_async(&mut store, &component)
        .await
        .unwrap();
    let same = instance.get_func(&mut store, "same").unwrap();
    let mut results = [Val::U32(0)];
    same.call_async(&mut store, &[Val::U32(7)], &mut results)
        .await
        .unwrap();
    assert_eq!(results, [Val::U32(7)]);
}

#[test]
fn a_component_is_described_the_same_every_time() {
    let wasm = component("package t:t; world w { export f: func(a: u8); export g: func(); }");
    assert_eq!(describe(&wasm, "demo"), describe(&wasm, "demo"));
}
