//! Tests of the whole language through its public interface.

mod addresses;
mod bad_input;
mod dialects;
mod generated;
mod laws;

use super::*;

/// Every key of the language.
pub(super) const WHOLE: &str = r#"
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

/// Parses a policy with these permissions.
pub(super) fn policy(permissions: &str) -> Policy {
    let text = format!("version: \"1.0\"\npermissions: {permissions}\n");
    Policy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn every_key_is_read_and_written_back() {
    let policy = Policy::parse(WHOLE).unwrap();
    assert_eq!(policy.permissions().len(), 14);
    assert_eq!(policy.description.as_deref(), Some("text"));
    assert_eq!(policy.limits.memory, Some(512 << 20));
    assert_eq!(policy.limits.cpu.unwrap().millicores(), 500);
    let written = policy.to_yaml();
    assert_eq!(Policy::parse(&written).unwrap(), policy);
    insta::assert_snapshot!(written);
}

#[test]
fn a_permission_is_data_and_comes_back() {
    for permission in Policy::parse(WHOLE).unwrap().permissions() {
        let data = serde_json::to_value(&permission).unwrap();
        let back: Permission = serde_json::from_value(data.clone()).unwrap();
        assert_eq!(back, permission, "{data}");
    }
    for bad in [
        serde_json::json!({}),
        serde_json::json!({"network": {"host": "a b"}}),
        serde_json::json!({"limits": {"memory": "1Mi", "output": "1Mi"}}),
        serde_json::json!({"ipc": {}}),
    ] {
        assert!(
            serde_json::from_value::<Permission>(bad.clone()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn nothing_is_granted_by_default() {
    assert!(Policy::default().grants_nothing());
    for text in [
        "version: '1.0'",
        "version: '1.0'\npermissions:\n",
        "version: '1.0'\npermissions:\n  network:\n    allow:\n  storage: {}\n",
    ] {
        assert_eq!(Policy::parse(text).unwrap(), Policy::default(), "{text}");
    }
    assert!(!policy("{resources: {limits: {memory: 1Mi}}}").grants_nothing());
}

#[test]
fn what_an_editor_on_windows_writes_is_read() {
    let text = "version: '1.0'\npermissions:\n  network:\n    allow:\n      - host: a.example\n";
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(
        Policy::parse(&windows).unwrap(),
        Policy::parse(text).unwrap()
    );
    assert_eq!(
        Policy::parse(&text.replace("'1.0'", "!!str 1.0")).unwrap(),
        Policy::parse(text).unwrap()
    );
}

#[test]
fn a_quota_is_part_of_what_is_granted() {
    let rule = |quota: Option<&str>| -> Permission {
        let mut rule = serde_json::json!({ "uri": "fs:///w/**", "access": ["read", "write"] });
        if let Some(quota) = quota {
            rule["quota"] = serde_json::json!(quota);
        }
        serde_json::from_value(serde_json::json!({ "storage": rule })).unwrap()
    };
    let mut granted = Policy::default();
    granted.grant(rule(Some("1Gi")));
    for (quota, is_covered) in [(None, true), (Some("1Gi"), true), (Some("2Gi"), false)] {
        assert_eq!(granted.covers(&rule(quota)), is_covered, "{quota:?}");
    }
    assert!(
        rule(Some("1Gi"))
            .to_string()
            .ends_with(", adding up to 1Gi")
    );
    granted.grant(rule(None));
    assert!(granted.covers(&rule(Some("1Gi"))));
    granted.grant(rule(Some("2Gi")));
    assert_eq!(granted.permissions(), [rule(Some("2Gi"))]);
    let text = granted.to_yaml();
    assert_eq!(Policy::parse(&text).unwrap(), granted, "{text}");
}
