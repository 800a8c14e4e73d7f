//! A running server follows the changes of other processes to its root.

use serde_json::json;

use crate::support::mcp::{CALC, Place};
use crate::support::wait::within;

const ONE: &str = r#"
(component
  (core module $m (func (export "one") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (func (export "one") (result s32) (canon lift (core func $i "one"))))
"#;

/// Runs a command on the same root to its end.
async fn wassette(place: &Place, args: &[&str]) {
    let output = place.wassette(args).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn tools_appear_change_and_vanish_with_what_the_command_line_does() {
    let place = Place::new();
    let file = place.component("calc.wat", CALC);
    let mut client = place.stdio().await;
    // The root does not even exist when the server starts.
    let built_in = client.tool_names().await;

    wassette(&place, &["load", "--uri", &file]).await;
    client.tools_changed().await;
    let sum = client.call("add", json!({"a": 1, "b": 2})).await;
    assert_eq!(sum.structured_content, Some(json!({"result": 3})));

    place.component("calc.wat", ONE);
    wassette(&place, &["load", "--uri", &file]).await;
    client.tools_changed().await;
    let one = client.call("one", json!({})).await;
    assert_eq!(one.structured_content, Some(json!({"result": 1})));
    assert!(!client.tool_names().await.contains(&"add".to_owned()));

    wassette(&place, &["unload", "calc"]).await;
    client.tools_changed().await;
    assert_eq!(client.tool_names().await, built_in);
}

#[tokio::test]
async fn new_code_behind_the_same_tools_is_called() {
    let place = Place::new();
    let file = place.component("calc.wat", CALC);
    let client = place.stdio().await;
    client.load(&file).await;
    let sum = client.call("add", json!({"a": 5, "b": 2})).await;
    assert_eq!(sum.structured_content, Some(json!({"result": 7})));

    place.component("calc.wat", &CALC.replace("i32.add", "i32.sub"));
    wassette(&place, &["load", "--uri", &file]).await;
    // Nothing is announced, because the tools look the same.
    let replaced = async {
        let difference = Some(json!({"result": 3}));
        while client
            .call("add", json!({"a": 5, "b": 2}))
            .await
            .structured_content
            != difference
        {}
    };
    within("the new code answers", replaced).await;
}

#[tokio::test]
async fn two_servers_see_each_others_loads() {
    let place = Place::new();
    let file = place.component("calc.wat", CALC);
    let one = place.stdio().await;
    let mut other = place.stdio().await;
    one.load(&file).await;
    other.tools_changed().await;
    let sum = other.call("add", json!({"a": 1, "b": 2})).await;
    assert_eq!(sum.structured_content, Some(json!({"result": 3})));
}
