//! An exported manifest reads back as the same data.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use super::*;
use crate::digest::Digest;
use crate::policy::{EnvironmentRule, Permission, ValueSource};
use crate::schema::rules::Arguments;

/// Texts that YAML could read as another type.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ a-z${}#:'\"\\\\&*!|>%@`,-]{0,12}",
        proptest::sample::select(
            &[
                "null",
                "~",
                "true",
                "no",
                "1",
                "1e3",
                "0x1f",
                ".inf",
                "",
                " ",
                "${HOST}",
                "$${HOST}",
                "$${",
                "- a",
                "a: b",
                "<<",
                "---",
                "2001-01-01",
                "\n",
                "a\nb\n",
                "\u{feff}",
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |x| Number::from_f64(x).map(Value::from)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z0-9_.-]{1,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn arguments() -> impl Strategy<Value = Arguments> {
    btree_map("[A-Za-z0-9_.-]{1,8}", value(), 1..4)
        .prop_map(|members| members.into_iter().collect::<Map<_, _>>())
}

fn tool() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9_-]{1,12}",
        Just("null".to_owned()),
        Just("y".to_owned())
    ]
}

fn rules() -> impl Strategy<Value = ToolRules> {
    (
        option::of(btree_set(tool(), 0..3)),
        btree_set(tool(), 0..3),
        btree_map(tool(), "[A-Za-z0-9_-]{1,64}", 0..3),
        btree_map(tool(), text(), 0..3),
        btree_map(tool(), arguments(), 0..3),
        btree_map(tool(), arguments(), 0..3),
    )
        .prop_map(
            |(allow, deny, rename, describe, defaults, fixed)| ToolRules {
                allow,
                deny,
                rename,
                describe,
                defaults,
                fixed,
            },
        )
}

fn granted() -> impl Strategy<Value = Policy> {
    let source = prop_oneof![
        Just(ValueSource::Inherit),
        Just(ValueSource::Secret),
        text().prop_filter_map("a value", |text| ValueSource::value(text).ok()),
    ];
    btree_map("[A-Za-z_][A-Za-z0-9_.-]{0,8}", source, 0..4).prop_map(|variables| {
        let mut policy = Policy::default();
        for (key, source) in variables {
            let rule = EnvironmentRule::new(&key, source).unwrap();
            policy.grant(Permission::Environment(rule));
        }
        policy
    })
}

fn exported() -> impl Strategy<Value = Exported> {
    ("[a-z0-9]{1,12}", "[a-z0-9]{1,12}", granted(), rules()).prop_map(
        |(id, name, granted, tools)| Exported {
            id: ComponentId::parse(&id).unwrap(),
            source: format!("oci://registry.example/{name}:v1").parse().unwrap(),
            digest: Digest::of(id.as_bytes()),
            granted,
            trust: None,
            tools,
        },
    )
}

proptest! {
    #[test]
    fn an_export_is_read_as_what_was_exported(one in exported()) {
        let document = export(std::slice::from_ref(&one));
        let yaml = serde_saphyr::to_string(&document).unwrap();
        for text in [document.to_string(), yaml] {
            let entry = match load_with(&[], &text) {
                Ok(mut manifest) => manifest.entries.remove(0),
                Err(error) => return Err(TestCaseError::fail(format!("{text}\n{error}"))),
            };
            prop_assert_eq!(&entry.id, &one.id);
            prop_assert_eq!(&entry.reference, &one.source);
            prop_assert_eq!(entry.digest, Some(one.digest));
            prop_assert_eq!(&entry.permissions, &Some(one.granted.clone()), "{}", text);
            prop_assert_eq!(json!(entry.tools), json!(one.tools), "{}", text);
        }
    }
}
