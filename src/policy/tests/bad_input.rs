//! Snapshots of every refusal.

use std::fmt::Write;

use super::dialects::{BAD, SUBTLE};
use super::*;

fn refusals<'a>(texts: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut all = String::new();
    for (shown, text) in texts {
        let error = Policy::parse(&text).expect_err(&text);
        writeln!(all, "{shown}\n    {error}").unwrap();
    }
    all
}

#[test]
fn permissions() {
    let texts = BAD.iter().chain(SUBTLE).map(|permissions| {
        let text = format!("version: \"1.0\"\npermissions:\n  {permissions}\n");
        (*permissions, text)
    });
    insta::assert_snapshot!(refusals(texts));
}

#[test]
fn documents() {
    let texts = [
        "",
        "{}",
        "- a",
        "[1, 2",
        "version: '2.0'",
        "version: 1.0",
        "permissions: {}",
        "version: '1.0'\nversion: '1.0'",
        "version: '1.0'\npermission: {}",
        "version: '1.0'\n\"per\\emissions\": {}",
        "version: '1.0'\ndescription: [a]",
        "version: '1.0'\ndescription: &a text\npermissions: {}",
        "version: &a '1.0'\ndescription: *a",
        "version: !custom '1.0'",
        "version: '1.0'\n---\nversion: '1.0'",
        "version: '1.0'\npermissions:\n  network:\n    allow:\n      - host: a.example\n        host: b.example",
        "version: '1.0'\npermissions:\n  <<: {network: {}}",
        "version: '1.0'\npermissions:\n  ? [a]\n  : b",
        "version: '1.0'\npermissions:\n\t- a",
    ];
    insta::assert_snapshot!(refusals(
        texts.iter().map(|text| (*text, (*text).to_owned()))
    ));
}

#[test]
fn floods() {
    let deep = format!("version: '1.0'\npermissions: {}", "[".repeat(100_000));
    let nested = format!(
        "version: '1.0'\npermissions: {}{}",
        "{a: ".repeat(40),
        "}".repeat(40)
    );
    let long = format!(
        "version: '1.0'\npermissions: {{network: {{allow: [{}]}}}}",
        "{host: a.example},".repeat(2000)
    );
    let wide = format!(
        "version: '1.0'\npermissions: {{storage: {{allow: [{{uri: 'fs:///{}', access: [read]}}]}}}}",
        "a/".repeat(100) + "a"
    );
    let large = format!("version: '1.0'\ndescription: {}", "a".repeat(2 << 20));
    let wordy = format!("version: '1.0'\ndescription: {}", "a".repeat(9000));
    let key = format!("version: '1.0'\n{}: 1", "k".repeat(900));
    let texts = [
        ("100,000 open lists", deep),
        ("40 mappings deep", nested),
        ("2,000 hosts", long),
        ("101 names", wide),
        ("2 MiB", large),
        ("a description of 9,000 bytes", wordy),
        ("a key of 900 characters", key),
    ];
    insta::assert_snapshot!(refusals(texts.into_iter()));
}

#[test]
fn tags_make_nothing_of_a_value_that_its_text_does_not_show() {
    for text in [
        "version: !!binary MS4w",
        "!!binary dmVyc2lvbg==: '1.0'",
        "version: '1.0'\ndescription: !!binary aGk=",
        "version: '1.0'\npermissions: !!set {network: {}}",
        "version: '1.0'\ndescription: !own text",
    ] {
        assert!(Policy::parse(text).is_err(), "{text}");
    }
}
