use super::*;
use crate::config::{KeySource, Required};

#[test]
fn a_rule_about_a_component_is_read_and_its_files_are_beside_the_manifest() {
    let entry = |trust: &str| format!("components:\n- uri: oci://a.io/b:1\n  trust: {trust}\n");
    let manifest = loaded(&entry("{keys: [acme.pub, '-----BEGIN PUBLIC KEY-----']}"));
    let rule = manifest.entries[0].trust.as_ref().unwrap();
    assert_eq!(rule.require, Some(Required::Signature));
    assert_eq!(rule.scope.as_str(), "oci://a.io/b:1");
    assert_eq!(
        rule.keys,
        [
            KeySource::File("/fleet/acme.pub".into()),
            KeySource::Pem("-----BEGIN PUBLIC KEY-----".into()),
        ]
    );
    for (trust, told) in [
        ("signature", "a mapping is expected here"),
        ("{}", "a rule names what it requires"),
        ("{scope: '*', require: none}", "has no `scope`"),
        ("{require: maybe}", "unknown variant `maybe`"),
        ("{key: a.pub}", "unknown field `key`"),
        (
            "{identities: [{issuer: a, subject-regex: b}]}",
            "is not anchored",
        ),
        ("{deny: [latest], require: none}", "components[0].trust"),
    ] {
        let error = refused(&entry(trust));
        assert!(error.contains(told), "{trust}: {error}");
        assert!(error.contains("fleet.yaml:3"), "{trust}: {error}");
    }
}
