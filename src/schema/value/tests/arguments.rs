//! Arguments of a call: which names they may have, and what is said of wrong ones.

use serde_json::{Value, json};
use wasmtime::component::{Type, Val};

use super::super::{Allowance, Converted, Respelled, ValueError, arguments};
use super::{named, runtime_type, ty};
use crate::error::Diagnose;

#[test]
fn the_path_leads_to_the_mistake() {
    let params = [
        ("items".to_owned(), named("list<item>")),
        ("dry".to_owned(), ty("option<bool>")),
    ];
    let call = |json: Value| {
        let memory = &mut Allowance(usize::MAX);
        arguments(json.as_object().expect("an object"), &params, memory)
    };
    let item = |price: Value| json!({ "name": "n", "price": price });
    let error = call(
        json!({ "items": [item(json!(1)), item(json!(1)), item(json!(1)), item(json!("3 €"))] }),
    );
    let error = error.unwrap_err();
    assert_eq!(error.path(), "args.items[3].price");
    assert_eq!(
        error.to_string(),
        "`args.items[3].price` is wrong: expected an integer from 0 to 255, found the string \"3 €\""
    );
    assert_eq!(error.code(), "invalid-arguments");

    let message = |error: Result<Converted, ValueError>| error.unwrap_err().to_string();
    assert_eq!(
        message(call(json!({}))),
        "`args.items` is missing: expected an array"
    );
    assert_eq!(
        message(call(json!({ "items": [{ "name": "n" }] }))),
        "`args.items[0].price` is missing: expected an integer from 0 to 255"
    );
    let unknown = call(json!({ "items": [], "dyr": true })).unwrap_err();
    assert_eq!(unknown.to_string(), "`args.dyr` is not known here");
    assert_eq!(
        unknown.hint().as_deref(),
        Some("known here: `items`, `dry`")
    );
    assert_eq!(
        call(json!({ "items": [] })).map(|converted| converted.values),
        Ok(vec![Val::List(Vec::new()), Val::Option(None)])
    );
}

/// Types whose names have several words.
const WORDS: &str = "
    record unit-price { in-cents: u32, currency-code: option<string> }
    enum sort-order { by-name, by-price }
    flags open-mode { read-only, may-create }
    variant search-key { full-text(string), any-item }";

fn converted(params: &[(String, Type)], json: &Value) -> Result<Converted, ValueError> {
    let memory = &mut Allowance(usize::MAX);
    arguments(json.as_object().expect("an object"), params, memory)
}

#[test]
fn names_in_another_spelling_are_understood_at_every_depth() {
    let words = |wit| runtime_type(WORDS, wit).0;
    let params = [
        ("all-prices".to_owned(), words("list<unit-price>")),
        ("sort-order".to_owned(), words("option<sort-order>")),
        ("open-mode".to_owned(), words("open-mode")),
        ("search-key".to_owned(), words("search-key")),
    ];
    let plain = json!({
        "all-prices": [{ "in-cents": 5, "currency-code": "EUR" }],
        "sort-order": "by-price", "open-mode": ["read-only"],
        "search-key": { "tag": "full-text", "val": "x" },
    });
    let plain = converted(&params, &plain).expect("the plain form is right");
    assert_eq!(plain.respelled, []);
    let other = json!({
        "allPrices": [{ "in_cents": 5, "currencyCode": "EUR" }],
        "sort_order": "ByPrice", "open-mode": ["READ_ONLY"],
        "search-key": { "tag": "fullText", "val": "x" },
    });
    let other = converted(&params, &other).expect("each name means one");
    assert_eq!(other.values, plain.values);
    let told = |path: &str, name: &str| Respelled {
        path: path.to_owned(),
        name: name.to_owned(),
    };
    let expected = [
        told("args.allPrices", "all-prices"),
        told("args.sort_order", "sort-order"),
        told("args.all-prices[0].in_cents", "in-cents"),
        told("args.all-prices[0].currencyCode", "currency-code"),
        told("args.sort-order", "by-price"),
        told("args.open-mode[0]", "read-only"),
        told("args.search-key.tag", "full-text"),
    ];
    assert_eq!(other.respelled, expected);
}

#[test]
fn a_spelling_that_is_one_too_many_is_unknown() {
    let params = [
        ("in-cents".to_owned(), ty("u32")),
        ("keys".to_owned(), ty("map<string, u8>")),
    ];
    let unknown = |json: Value| converted(&params, &json).unwrap_err().to_string();
    assert_eq!(
        unknown(json!({ "in-cents": 1, "in_cents": 2, "keys": {} })),
        "`args.in_cents` is not known here"
    );
    assert_eq!(
        unknown(json!({ "inCents": 1, "in_cents": 2, "keys": {} })),
        "`args.in_cents` is not known here"
    );
    // The keys of a map are data.
    let keys = json!({ "in-cents": 1, "keys": { "aB": 1, "a-b": 2 } });
    assert_eq!(converted(&params, &keys).unwrap().respelled, []);
}

#[test]
fn few_of_many_other_spellings_are_reported() {
    let params = [("p".to_owned(), runtime_type(WORDS, "list<sort-order>").0)];
    let json = json!({ "p": vec!["by_name"; 1000] });
    let converted = converted(&params, &json).unwrap();
    assert_eq!(converted.respelled.len(), 20);
}
