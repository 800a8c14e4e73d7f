//! Other forms of values, that clients are known to send.

use serde_json::{Value, json};

use super::{from_json, named};

#[test]
fn what_clients_are_known_to_send_instead() {
    let takes = |wit: &str, sent: Value, plain: Value| {
        let ty = named(wit);
        let meant = from_json(&plain, &ty, "x").expect("the plain form is right");
        assert_eq!(from_json(&sent, &ty, "x"), Ok(meant), "{wit} {sent}");
    };
    // Objects and arrays as the text of their JSON.
    let item = json!({ "name": "[1]", "price": 1 });
    takes("item", json!(item.to_string()), item.clone());
    takes("list<item>", json!(format!(" [{item}]")), json!([item]));
    takes("list<item>", json!([item.to_string()]), json!([item]));
    takes("option<item>", json!(item.to_string()), item);
    takes("list<u8>", json!("[1, 2]"), json!([1, 2]));
    takes("tuple<u8, bool>", json!("[1, true]"), json!([1, true]));
    takes("mode", json!("[\"read\"]"), json!(["read"]));
    let circle = json!({ "tag": "circle", "val": 1 });
    takes("shape", json!(circle.to_string()), circle);
    takes("result<u8>", json!("{\"ok\": 1}"), json!({ "ok": 1 }));
    // Numbers and booleans as text.
    takes("u8", json!("200"), json!(200));
    takes("s32", json!("-7"), json!(-7));
    takes("f64", json!("-1.5e3"), json!(-1500));
    takes("u8", json!("200.0"), json!(200));
    takes("bool", json!("true"), json!(true));
    takes("bool", json!("False"), json!(false));
    // An empty array for an object without members, null for what is absent.
    takes("map<string, u8>", json!([]), json!({}));
    let dot = json!({ "tag": "dot" });
    takes("shape", json!({ "tag": "dot", "val": null }), dot);
    // A text stays one.
    takes("string", json!("[1]"), json!("[1]"));
    for (wit, sent) in [
        ("item", json!("{")),
        ("item", json!("[1,")),
        ("item", json!("null")),
        ("item", json!("7")),
        ("item", json!("{\"name\": \"n\"}")),
        ("list<u8>", json!("[1, 256]")),
        ("list<string>", json!("\"[]\"")),
        ("bool", json!("yes")),
        ("bool", json!(1)),
        ("u8", json!("1.5")),
        ("f64", json!("1,5")),
        ("level", json!("[\"low\"]")),
    ] {
        assert!(from_json(&sent, &named(wit), "x").is_err(), "{wit} {sent}");
    }
}
