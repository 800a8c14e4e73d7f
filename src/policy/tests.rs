//! The document as a whole.

use super::*;

const ISSUE: &str = r#"
version: "1.0"
description: text
permissions:
  network:
    allow: [{host: api.openweathermap.org}, {host: "*.example.com"}, {host: "https://api.x.org:8443"}, {cidr: 10.0.0.0/8}]
    deny:  [{host: internal.example.com}]
  storage:
    allow: [{uri: "fs:///data/in/**", access: [read]}, {uri: "fs://work/**", access: [read, write]}]
    deny:  [{uri: "fs:///data/in/private/**"}]
  environment:
    allow: [{key: OPENWEATHER_API_KEY}, {key: REGION, value: eu}, {key: TOKEN, value_from: secret}]
  resources:
    limits: {memory: 512Mi, cpu: "500m", time: 30s, instances: 8, output: 4Mi}
"#;

#[test]
fn every_key_is_read_and_written_back() {
    let policy = Policy::parse(ISSUE).unwrap();
    assert_eq!(policy.permissions().len(), 14);
    assert_eq!(Policy::parse(&policy.to_yaml()).unwrap(), policy);
}

#[test]
fn other_texts_are_refused() {
    for text in ["", "[1, 2", "version: \"2.0\"", "permissions: {}", "- a"] {
        assert!(Policy::parse(text).is_err(), "{text}");
    }
    let bomb = format!("version: \"1.0\"\npermissions: {}", "[".repeat(100_000));
    assert!(Policy::parse(&bomb).is_err());
}
