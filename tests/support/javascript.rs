//! JSON as clients in JavaScript read it: in a real Node.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Each line of standard input, read and written again.
const ROUND_TRIP: &str = r#"
for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n"))
  console.log(JSON.stringify(JSON.parse(line)));
"#;

/// Checks that `JSON.parse` reads the values as they are.
///
/// # Panics
///
/// When one has become another.
pub fn check_round_trip(values: &[Value]) {
    let mut node = Command::new("node")
        .args(["-e", ROUND_TRIP])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, which tests/run installs");
    let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
    let mut input = node.stdin.take().unwrap();
    // It reads everything before it writes anything.
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let read: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(values.len(), read.len());
    for (value, read) in values.iter().zip(&read) {
        assert!(is_same(value, read), "{value} was read as {read}");
    }
}

/// JavaScript writes `5.0` as `5`.
fn is_same(value: &Value, read: &Value) -> bool {
    match (value, read) {
        (Value::Number(number), Value::Number(read)) if number.is_f64() => {
            number.as_f64() == read.as_f64()
        }
        (Value::Array(items), Value::Array(read)) => {
            items.len() == read.len() && items.iter().zip(read).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(members), Value::Object(read)) => {
            let same = |(name, value)| read.get(name).is_some_and(|read| is_same(value, read));
            members.len() == read.len() && members.iter().all(same)
        }
        (value, read) => value == read,
    }
}

#[test]
fn a_number_that_changes_is_seen() {
    check_round_trip(&[serde_json::json!({ "a": [5.0, -0.5, 1e300, "é\n"], "7": null })]);
    let large = serde_json::json!([u64::MAX]);
    assert!(std::panic::catch_unwind(|| check_round_trip(&[large])).is_err());
}
