//! Tests with bytes that are not a component, or not one that can be used.

use proptest::prelude::*;

use super::component;
use crate::error::Diagnose;
use crate::schema::{SchemaError, describe};

fn error(wasm: &[u8]) -> SchemaError {
    match describe(wasm, "demo").and_then(|description| description.tools()) {
        Ok(_) => panic!("this was accepted"),
        Err(error) => error,
    }
}

fn code(wasm: &[u8]) -> &'static str {
    error(wasm).code()
}

fn sample() -> Vec<u8> {
    component(
        "package t:t; world w { export api: interface {
            record r { a: u8, b: list<string>, c: option<f64> }
            variant v { x, y(r) }
            f: func(a: v) -> result<list<r>, string>;
        } }",
    )
}

#[test]
fn each_kind_of_bytes_has_its_error() {
    assert_eq!(code(b""), "not-wasm");
    assert_eq!(code(b"\x7fELF\x02\x01\x01\x00"), "not-wasm");
    assert_eq!(code(b"\0asm"), "not-wasm");
    assert_eq!(code(b"\0asm\x07\0\x01\0"), "not-wasm");
    assert_eq!(code(b"\0asm\x01\0\0\0"), "core-module");
    assert_eq!(code(b"\0asm\x0d\0\x01\0"), "no-tools");
    let (resolve, package) = super::parse("package t:t; interface i { f: func(); }");
    assert_eq!(
        code(&wit_component::encode(&resolve, package).unwrap()),
        "wit-package"
    );
}

#[test]
fn a_truncated_component_says_where_it_ends() {
    let wasm = sample();
    let cut = &wasm[..wasm.len() / 2];
    let SchemaError::Invalid { offset, .. } = error(cut) else {
        panic!("expected an offset");
    };
    assert!(offset > 8 && offset <= cut.len(), "{offset}");
    assert!(
        error(cut)
            .to_string()
            .contains(&format!("at offset {offset:#x}"))
    );
    for end in 0..wasm.len() {
        let _ = describe(&wasm[..end], "demo");
    }
}

#[test]
fn an_empty_component_says_why_it_is_refused() {
    let empty = error(b"\0asm\x0d\0\x01\0");
    assert_eq!(
        empty.to_string(),
        "The component has no function that can be called: it exports no function"
    );
    assert!(empty.hint().is_some());
}

#[test]
fn duplicate_exports_are_refused() {
    let wat = |first: &str, second: &str| {
        format!(
            r#"(component
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f")))
                (export "{first}" (func $f))
                (export "{second}" (func $f)))"#
        )
    };
    let wasm = wat::parse_str(wat("run", "run")).unwrap();
    let message = error(&wasm).to_string();
    assert!(message.contains("run"), "{message}");
    // WIT names that differ in case only are the same name.
    assert_eq!(
        code(&wat::parse_str(wat("run", "RUN")).unwrap()),
        "invalid-component"
    );
}

#[test]
fn exports_without_wit_are_refused() {
    let wasm = wat::parse_str(r#"(component (core module $m) (export "m" (core module $m)))"#);
    assert_eq!(code(&wasm.unwrap()), "undescribable-component");
}

#[test]
fn imports_of_modules_are_unknown() {
    let wat = r#"(component
        (import "m" (core module))
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))"#;
    let names = vec!["m".to_owned()];
    assert_eq!(
        error(&wat::parse_str(wat).unwrap()),
        SchemaError::UnknownImports { names }
    );
}

#[test]
fn proposals_that_do_not_run_are_refused() {
    let wat = r#"(component (core module (memory 1 1 shared)
        (func (drop (i32.atomic.load (i32.const 0))))))"#;
    assert_eq!(code(&wat::parse_str(wat).unwrap()), "invalid-component");
}

/// Has a body that does not type-check among enough bodies that two threads validate them.
#[test]
fn the_first_bad_function_is_the_one_reported() {
    let good = "(func (result i32) (i32.const 1))".repeat(600);
    let bad = "(func (result i32) (i64.const 1))".repeat(600);
    let wat = format!("(component (core module {good} {bad}))");
    let wasm = wat::parse_str(wat).unwrap();
    let first = error(&wasm);
    assert!(matches!(first, SchemaError::Invalid { .. }));
    for _ in 0..5 {
        assert_eq!(error(&wasm), first);
    }
}

/// Encodes an unsigned number as LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Nests component types within component types, each a few bytes long.
#[test]
fn types_nested_without_end_do_not_end_the_process() {
    let openers = [[0x41, 0x01, 0x01], [0x42, 0x01, 0x01]];
    for (opener, levels) in openers
        .into_iter()
        .flat_map(|it| [(it, 1_990), (it, 200_000)])
    {
        let mut types = leb(1);
        types.extend(opener.repeat(levels));
        types.extend([0x41, 0x00]);
        let mut wasm = b"\0asm\x0d\0\x01\0\x07".to_vec();
        wasm.extend(leb(types.len()));
        wasm.extend(types);
        // A component with only types is accepted if its nesting is within the limit.
        let expected = ["invalid-component", "no-tools"];
        assert_eq!(code(&wasm), expected[usize::from(levels < 2_000)]);
    }
}

#[test]
fn components_nested_without_end_do_not_end_the_process() {
    let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..3_000 {
        let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
        outer.extend(leb(wasm.len()));
        outer.extend(wasm);
        wasm = outer;
    }
    error(&wasm);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = describe(&bytes, "demo");
        let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
        wasm.extend(bytes);
        let _ = describe(&wasm, "demo");
    }

    #[test]
    fn damaged_components_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let mut wasm = sample();
        for (place, byte) in damage {
            let place = place.index(wasm.len());
            wasm[place] = byte;
        }
        if let Ok(description) = describe(&wasm, "demo") {
            let _ = description.tools();
        }
    }
}
