//! The report to the agent when a call fails after a denial.

use serde_json::json;

use crate::support::cli::Cli;
use crate::support::mcp::{Place, text_of};
use crate::support::wat;

/// Four functions request a key from `wasi:config/store`. If it is missing, `need` traps, `ask`
/// returns an error value, and `try` continues; `brood` never ends.
pub const ASKS: &str = concat!(
    "(component",
    wat::config_store!(),
    r#"  (core module $m
    (import "host" "memory" (memory 1))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (func $found (param i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (i32.const 16))
      ;; past the discriminant of the result
      (i32.load8_u (i32.const 20)))
    (func (export "need") (param i32 i32)
      (if (i32.eqz (call $found (local.get 0) (local.get 1))) (then unreachable)))
    (func (export "ask") (param i32 i32) (result i32)
      (i32.eqz (call $found (local.get 0) (local.get 1))))
    (func (export "try") (param i32 i32) (result i32)
      (call $found (local.get 0) (local.get 1)))
    (func (export "brood") (param i32 i32)
      (drop (call $found (local.get 0) (local.get 1)))
      (loop (br 0))))
  (core instance $i (instantiate $m
    (with "host" (instance
      (export "memory" (memory $memory "memory"))
      (export "get" (func $get))))))
  (func (export "need") (param "key" string)
    (canon lift (core func $i "need") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (func (export "ask") (param "key" string) (result (result))
    (canon lift (core func $i "ask") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (func (export "brood") (param "key" string)
    (canon lift (core func $i "brood") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (func (export "try") (param "key" string) (result bool)
    (canon lift (core func $i "try") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc")))))
"#
);

const COMMAND: &str = "wassette permission grant environment-variable asks CITY";

#[tokio::test]
async fn over_mcp() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("asks.wat", ASKS)).await;
    let denied = json!([{
        "kind": "environment",
        "what": "CITY",
        "reason": "not-granted",
        "times": 1,
        "grant": {
            "tool": "grant-environment-variable-permission",
            "arguments": { "component_id": "asks", "details": { "key": "CITY" } },
            "command": COMMAND,
        },
    }]);

    let trapped = client.call("need", json!({ "key": "CITY" })).await;
    assert_eq!(trapped.is_error, Some(true));
    let told = text_of(&trapped);
    assert_eq!(told["code"], "trap");
    assert_eq!(told["denied"], denied);
    let hint = told["hint"].as_str().unwrap();
    assert!(hint.contains(COMMAND), "{hint}");
    assert!(
        hint.contains("grant-environment-variable-permission"),
        "{hint}"
    );

    let refused = client.call("ask", json!({ "key": "CITY" })).await;
    assert_eq!(refused.is_error, Some(true));
    let told = text_of(&refused);
    assert_eq!(told["denied"], denied);
    assert!(told["hint"].as_str().unwrap().contains(COMMAND), "{told}");

    // A function with its own failure message: the message is its result, and the denials are
    // listed beside it.
    let tried = client.call("try", json!({ "key": "CITY" })).await;
    assert_ne!(tried.is_error, Some(true));
    assert_eq!(text_of(&tried), json!({ "result": false }));
    let beside = tried.meta.as_ref().expect("what was denied");
    assert_eq!(beside.0["wassette/denied"], denied);
    let grant = &denied[0]["grant"];
    let tool = grant["tool"].as_str().unwrap();
    client.call(tool, grant["arguments"].clone()).await;
    let set = place.wassette(&["secret", "set", "asks", "CITY=Bern"]);
    assert!({ set }.output().await.unwrap().status.success());
    let found = client.call("try", json!({ "key": "CITY" })).await;
    assert_eq!(text_of(&found), json!({ "result": true }));
    assert_eq!(found.meta, None);
}

/// No text that the agent reads names a tool that it does not have.
#[tokio::test]
async fn over_mcp_where_agents_may_not_grant() {
    let place = Place::new();
    let client = place.stdio_with(&["--no-grants"]).await;
    client.load(&place.component("asks.wat", ASKS)).await;
    for function in ["need", "ask", "try"] {
        let denied = client.call(function, json!({ "key": "CITY" })).await;
        let beside = denied.meta.as_ref().map(|meta| json!(meta.0));
        let told = format!("{} {beside:?}", text_of(&denied));
        assert!(told.contains(COMMAND), "{told}");
        assert!(!told.contains("grant-environment-variable"), "{told}");
    }
}

#[test]
fn on_the_command_line() {
    let cli = Cli::new();
    cli.load(&cli.file("asks.wat", ASKS));
    for function in ["need", "ask"] {
        let failure = cli.failure(["call", function, "--args", r#"{"key": "CITY"}"#]);
        assert!(failure.starts_with("exit code 7\n"), "{failure}");
        assert!(failure.contains("denied: the variable `CITY`"), "{failure}");
        assert!(failure.contains(COMMAND), "{failure}");
    }
    // A name that a shell would interpret is not suggested.
    let failure = cli.failure(["call", "need", "--args", r#"{"key": "$(reboot)\u001b[2J"}"#]);
    assert!(
        failure.contains(r"denied: the variable `$(reboot)\u{1b}[2J`"),
        "{failure}"
    );
    assert!(!failure.contains("permission grant"), "{failure}");
}
