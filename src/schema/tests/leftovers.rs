//! Exports left behind by toolchains, and functions that only look like them.

use super::{component, described, reason, tool};
use crate::schema::describe;

/// The engine's name, as in real components.
fn with_engine(mut wasm: Vec<u8>) -> Vec<u8> {
    wasm.extend([0, 12, 4]);
    wasm.extend(b"testquickjs");
    wasm
}

#[test]
fn init_of_quickjs_is_no_tool() {
    for params in [
        "script: string",
        "shim: string, script: string, entry-path: option<string>, disable-gc: bool",
    ] {
        let wit = format!(
            "package t:t; world w {{
                export init: func({params}) -> result<_, string>;
                export add: func(a: u32, b: u32) -> u32;
            }}"
        );
        let description = describe(&with_engine(component(&wit)), "demo").unwrap();
        assert_eq!(
            reason(&description, "init"),
            "it was left behind by componentize-qjs"
        );
        assert_eq!(description.tools().unwrap().len(), 1);
        // Without the engine's name it is an ordinary function.
        tool(&described(&wit), "init");
    }
}

#[test]
fn init_of_componentize_py_is_no_tool() {
    let description = described(
        "package t:t; world w {
            export exports: interface {
                record symbols { types-package: string }
                init: func(app-name: string, symbols: symbols, stub-wasi: bool) -> result<_, string>;
            }
            export add: func(a: u32, b: u32) -> u32;
        }",
    );
    assert_eq!(
        reason(&description, "init"),
        "it was left behind by componentize-py"
    );
}

#[test]
fn an_init_of_ones_own_is_a_tool() {
    for world in [
        "export init: func(path: string) -> result<_, string>;",
        "export init: func(script: string) -> string;",
        "export init: func();",
        "export exports: interface { init: func(app-name: string) -> result<_, string>; }",
        "export exports: interface { init: func(app-name: string, symbols: string) -> result<_, string>; }",
    ] {
        let wasm = with_engine(component(&format!("package t:t; world w {{ {world} }}")));
        let description = describe(&wasm, "demo").unwrap();
        tool(&description, "init");
    }
}
