//! Values of every type, there and back.

mod arguments;
mod generated;
mod lenient;

use std::sync::OnceLock;

use serde_json::{Value, json};
use wasmtime::component::{Component, Type, Val, types::ComponentItem};
use wasmtime::{Config, Engine};

use super::{Allowance, Path, Reader, Returned, Room, Text, ValueError, Writer, returned};
use crate::schema::tests::component;
use crate::schema::{Outcome, features};

/// Converts one value from JSON, with all the memory it wants.
fn from_json(json: &Value, ty: &Type, name: &str) -> Result<Val, ValueError> {
    let budget = &mut Allowance(usize::MAX);
    Reader::new(budget).value(json, ty, &Path::new(name))
}

/// Converts one value to JSON, and checks that its text was counted right.
fn to_json(value: &Val, ty: &Type) -> Result<Value, ValueError> {
    let mut writer = Writer {
        budget: &mut Allowance(usize::MAX),
        text: Text(u64::MAX),
    };
    let json = writer.value(value.clone(), ty, &Path::new("result"))?;
    let length = json.to_string().len() as u64;
    assert_eq!(u64::MAX - writer.text.0, length, "{json}");
    Ok(json)
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config
            .wasm_component_model_map(true)
            .wasm_component_model_fixed_length_lists(true);
        Engine::new(&config).expect("the configuration is valid")
    })
}

#[test]
fn the_validator_and_the_runtime_agree_on_proposals() {
    assert_eq!(engine().get_wasm_features(), features());
}

/// The type `wit` as the runtime sees it, with `named` types before it.
fn runtime_type(named: &str, wit: &str) -> (Type, Vec<u8>) {
    let world = format!(
        "package t:t; world w {{ export api: interface {{ {named} f: func(x: {wit}) -> {wit}; }} }}"
    );
    let wasm = component(&world);
    let component = Component::new(engine(), &wasm).expect("the component compiles");
    let ty = component.component_type();
    let Some(ComponentItem::ComponentInstance(api)) =
        ty.get_export(engine(), "api").map(|it| it.ty)
    else {
        panic!("the interface is exported");
    };
    let Some(ComponentItem::ComponentFunc(function)) =
        api.get_export(engine(), "f").map(|it| it.ty)
    else {
        panic!("the function is exported");
    };
    let ty = function.params().next().expect("one parameter").1;
    (ty, wasm)
}

fn ty(wit: &str) -> Type {
    runtime_type("", wit).0
}

const NAMED: &str = "
    record item { name: string, price: u8, note: option<string> }
    variant shape { dot, circle(u8), maybe(option<u8>) }
    enum level { low, high }
    flags mode { read, write }";

fn named(wit: &str) -> Type {
    runtime_type(NAMED, wit).0
}

#[track_caller]
fn both_ways(ty: &Type, json: Value, val: Val) {
    assert_eq!(from_json(&json, ty, "x").as_ref(), Ok(&val), "{json}");
    assert_eq!(to_json(&val, ty), Ok(json));
}

#[track_caller]
fn refused(ty: &Type, json: Value, message: &str) {
    let error = from_json(&json, ty, "x").expect_err("this is refused");
    assert_eq!(error.to_string(), message);
}

#[test]
fn integers_are_exact_and_in_range() {
    both_ways(&ty("u64"), json!(u64::MAX), Val::U64(u64::MAX));
    both_ways(&ty("s64"), json!(i64::MIN), Val::S64(i64::MIN));
    both_ways(&ty("u8"), json!(255), Val::U8(255));
    both_ways(&ty("s16"), json!(-32768), Val::S16(-32768));
    let accepts = |wit: &str, json: Value, val| {
        assert_eq!(from_json(&json, &ty(wit), "x"), Ok(val), "{json}");
    };
    accepts("u64", json!("18446744073709551615"), Val::U64(u64::MAX));
    accepts("s64", json!("-9223372036854775808"), Val::S64(i64::MIN));
    accepts("u32", json!(5.0), Val::U32(5));
    refused(
        &ty("u8"),
        json!(256),
        "`x` is wrong: expected an integer from 0 to 255, found the number 256",
    );
    for (wit, json) in [
        ("u8", json!(-1)),
        ("u8", json!(1.5)),
        ("u8", json!("256")),
        ("u8", json!(null)),
        ("u64", json!("18446744073709551616")),
        ("u64", json!("+1")),
        ("u64", json!("")),
        ("u64", json!(1e17)),
        ("s64", json!(9_223_372_036_854_775_808_u64)),
    ] {
        assert!(from_json(&json, &ty(wit), "x").is_err(), "{wit} {json}");
    }
}

#[test]
fn floats_keep_their_digits() {
    both_ways(&ty("f32"), json!(0.1), Val::Float32(0.1));
    both_ways(&ty("f64"), json!(0.1), Val::Float64(0.1));
    both_ways(&ty("f64"), json!("NaN"), Val::Float64(f64::NAN));
    both_ways(
        &ty("f64"),
        json!("-Infinity"),
        Val::Float64(f64::NEG_INFINITY),
    );
    both_ways(&ty("f32"), json!("Infinity"), Val::Float32(f32::INFINITY));
    assert_eq!(from_json(&json!(3), &ty("f32"), "x"), Ok(Val::Float32(3.0)));
    for json in [json!(1e39), json!("infinity"), json!("1.5x"), json!(true)] {
        assert!(from_json(&json, &ty("f32"), "x").is_err(), "{json}");
    }
}

#[test]
fn text_and_bytes() {
    both_ways(&ty("char"), json!("😀"), Val::Char('😀'));
    both_ways(&ty("string"), json!("a\0b"), Val::String("a\0b".to_owned()));
    let bytes = || Val::List(vec![Val::U8(1), Val::U8(255)]);
    both_ways(&ty("list<u8>"), json!("Af8="), bytes());
    both_ways(&ty("list<u8>"), json!(""), Val::List(Vec::new()));
    assert_eq!(
        from_json(&json!([1, 255]), &ty("list<u8>"), "x"),
        Ok(bytes())
    );
    assert_eq!(from_json(&json!("Af8"), &ty("list<u8>"), "x"), Ok(bytes()));
    refused(
        &ty("list<u8>"),
        json!("no!"),
        "`x` is wrong: expected bytes as a base64 string, found the string \"no!\"",
    );
    refused(
        &ty("char"),
        json!("ab"),
        "`x` is wrong: expected a string of one character, found the string \"ab\"",
    );
    refused(
        &ty("bool"),
        json!("a very long string that should not be repeated in full"),
        "`x` is wrong: expected true or false, found a string that starts with \
         \"a very long string that should not be re\"",
    );
}

#[test]
fn lists_of_a_length_and_tuples() {
    let three = || vec![Val::U8(1), Val::U8(2), Val::U8(3)];
    both_ways(
        &ty("list<u8, 3>"),
        json!([1, 2, 3]),
        Val::FixedLengthList(three()),
    );
    refused(
        &ty("list<u8, 3>"),
        json!([1]),
        "`x` is wrong: expected an array of 3, found an array of 1",
    );
    let pair = Val::Tuple(vec![Val::Bool(true), Val::U8(2)]);
    both_ways(&ty("tuple<bool, u8>"), json!([true, 2]), pair);
    refused(
        &ty("tuple<bool, u8>"),
        json!([true, 300]),
        "`x[1]` is wrong: expected an integer from 0 to 255, found the number 300",
    );
}

#[test]
fn options_say_which_none_is_meant() {
    let some = |val| Val::Option(Some(Box::new(val)));
    both_ways(&ty("option<u8>"), json!(null), Val::Option(None));
    both_ways(&ty("option<u8>"), json!(1), some(Val::U8(1)));
    let nested = ty("option<option<u8>>");
    both_ways(&nested, json!(null), Val::Option(None));
    both_ways(&nested, json!({ "some": null }), some(Val::Option(None)));
    both_ways(&nested, json!({ "some": 1 }), some(some(Val::U8(1))));
    for json in [json!(1), json!({}), json!({ "some": 1, "more": 2 })] {
        assert!(from_json(&json, &nested, "x").is_err(), "{json}");
    }
}

#[test]
fn variants_enums_flags_and_results() {
    let shape = named("shape");
    both_ways(
        &shape,
        json!({ "tag": "dot" }),
        Val::Variant("dot".into(), None),
    );
    let circle = Val::Variant("circle".into(), Some(Box::new(Val::U8(1))));
    both_ways(&shape, json!({ "tag": "circle", "val": 1 }), circle);
    let none = Val::Variant("maybe".into(), Some(Box::new(Val::Option(None))));
    both_ways(&shape, json!({ "tag": "maybe", "val": null }), none.clone());
    assert_eq!(from_json(&json!({ "tag": "maybe" }), &shape, "x"), Ok(none));
    refused(
        &shape,
        json!({ "tag": "square" }),
        "`x.tag` is wrong: expected one of \"dot\", \"circle\", \"maybe\", found the string \"square\"",
    );
    refused(
        &shape,
        json!({ "tag": "dot", "val": 1 }),
        "`x.val` is not known here",
    );
    refused(
        &shape,
        json!({ "tag": "circle" }),
        "`x.val` is missing: expected an integer from 0 to 255",
    );

    both_ways(&named("level"), json!("low"), Val::Enum("low".into()));
    refused(
        &named("level"),
        json!("lowest"),
        "`x` is wrong: expected one of \"low\", \"high\", found the string \"lowest\"",
    );

    let mode = named("mode");
    both_ways(
        &mode,
        json!(["write", "read"]),
        Val::Flags(vec!["write".into(), "read".into()]),
    );
    refused(
        &mode,
        json!(["read", "read"]),
        "`x[1]` is wrong: expected each flag once, found it again",
    );

    let result = ty("result<u8>");
    both_ways(
        &result,
        json!({ "ok": 1 }),
        Val::Result(Ok(Some(Box::new(Val::U8(1))))),
    );
    both_ways(&result, json!({ "err": null }), Val::Result(Err(None)));
    for json in [
        json!(1),
        json!({}),
        json!({ "ok": 1, "err": null }),
        json!({ "err": 1 }),
    ] {
        assert!(from_json(&json, &result, "x").is_err(), "{json}");
    }
}

#[test]
fn maps_are_objects_where_keys_are_strings() {
    let entry = |key, val| (key, Val::Bool(val));
    let by_name = Val::Map(vec![entry(Val::String("a".into()), true)]);
    both_ways(&ty("map<string, bool>"), json!({ "a": true }), by_name);
    let by_number = Val::Map(vec![entry(Val::U8(1), true), entry(Val::U8(2), false)]);
    both_ways(
        &ty("map<u8, bool>"),
        json!([[1, true], [2, false]]),
        by_number,
    );
    refused(
        &ty("map<string, bool>"),
        json!({ "an odd key": 1 }),
        "`x[\"an odd key\"]` is wrong: expected true or false, found the number 1",
    );
    refused(
        &ty("map<u8, bool>"),
        json!([[1]]),
        "`x[0]` is wrong: expected an array of a key and a value, found an array of 1",
    );
}

#[test]
fn the_outer_result_is_the_outcome_of_the_call() {
    let types = [ty("result<u8, string>")];
    let ok = Val::Result(Ok(Some(Box::new(Val::U8(1)))));
    let err = Val::Result(Err(Some(Box::new(Val::String("no".into())))));
    let returned = |values, types: &[Type], outcome| {
        let memory = &mut Allowance(usize::MAX);
        let mut left = u64::MAX;
        let text = &mut left;
        returned(values, types, outcome, Room { memory, text })
    };
    let outcome = |val, outcome| returned(vec![val], &types, outcome).unwrap();
    assert_eq!(outcome(ok.clone(), Outcome::Result), Returned::Ok(json!(1)));
    assert_eq!(outcome(err, Outcome::Result), Returned::Err(json!("no")));
    assert_eq!(
        outcome(ok, Outcome::Plain),
        Returned::Ok(json!({ "ok": 1 }))
    );
    assert_eq!(
        returned(Vec::new(), &[], Outcome::Plain),
        Ok(Returned::Ok(Value::Null))
    );
}

#[test]
fn values_of_another_type_are_errors() {
    for (val, wit) in [
        (Val::U8(1), "s8"),
        (Val::List(vec![Val::Bool(true)]), "list<u8>"),
        (Val::Tuple(Vec::new()), "tuple<u8>"),
        (Val::Result(Ok(None)), "result<u8>"),
        (Val::Map(vec![(Val::U8(1), Val::U8(1))]), "map<string, u8>"),
    ] {
        assert!(to_json(&val, &ty(wit)).is_err(), "{wit}");
    }
}

#[test]
fn memory_is_charged_before_it_is_taken() {
    let options: String = (0..100).map(|n| format!("a{n}: option<u8>,")).collect();
    let ty = runtime_type(&format!("record wide {{ {options} }}"), "list<wide>").0;
    let json = json!([{}, {}, {}]);
    let spent = |bytes: usize| {
        let mut allowance = Allowance(bytes);
        let budget = &mut allowance;
        let outcome = Reader::new(budget).value(&json, &ty, &Path::new("x"));
        outcome.map(|_| bytes - allowance.0)
    };
    let needed = spent(usize::MAX).unwrap();
    // A name takes no less than the least allocation, and 24 bytes beside its value.
    let least = 3 * 100 * (32 + 24 + size_of::<Val>());
    assert!(needed >= least, "{needed} < {least}");
    assert_eq!(spent(needed), Ok(needed));
    assert!(spent(needed - 1).unwrap_err().is_too_large());
}
