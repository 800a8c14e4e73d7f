//! JSON Schemas of the built-in tools' arguments and results.
//!
//! Each schema has a single type at each place, since several clients refuse or flag
//! arrays of types.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::arguments::{
    CallArguments, ComponentArguments, EnvironmentDetails, LoadArguments, NetworkDetails,
    NoArguments, PermissionArguments, SearchArguments, StorageDetails, UnloadArguments,
};
use super::{Builtin, PermissionKind};

type Object = Map<String, Value>;

impl Builtin {
    pub(super) fn input_schema(self) -> Object {
        match self {
            Builtin::Call => schema_of::<CallArguments>(),
            Builtin::List => schema_of::<NoArguments>(),
            Builtin::Load => schema_of::<LoadArguments>(),
            Builtin::Search => schema_of::<SearchArguments>(),
            Builtin::Policy | Builtin::Reset => schema_of::<ComponentArguments>(),
            Builtin::Grant(kind) | Builtin::Revoke(kind) => match kind {
                PermissionKind::Environment => {
                    schema_of::<PermissionArguments<EnvironmentDetails>>()
                }
                PermissionKind::Network => schema_of::<PermissionArguments<NetworkDetails>>(),
                PermissionKind::Storage => schema_of::<PermissionArguments<StorageDetails>>(),
            },
            Builtin::Unload => schema_of::<UnloadArguments>(),
        }
    }

    /// The members that a result always has; there may be others. `None` for
    /// `call-tool`, whose result is that of the tool it calls.
    pub(super) fn output_schema(self) -> Option<Object> {
        let text = || json!({ "type": "string" });
        let texts = || json!({ "type": "array", "items": { "type": "string" } });
        let objects = || json!({ "type": "array", "items": { "type": "object" } });
        Some(match self {
            Builtin::Call => return None,
            Builtin::List | Builtin::Search => always([("components", objects())]),
            Builtin::Load => always([
                ("component_id", text()),
                ("status", json!({ "type": "string" })),
                ("tool_names", texts()),
                ("tools", objects()),
                ("how_to_call", text()),
                ("granted_permissions", objects()),
                ("not_granted", objects()),
                ("receipt", json!({ "type": "object" })),
            ]),
            Builtin::Policy | Builtin::Reset | Builtin::Grant(_) | Builtin::Revoke(_) => always([
                ("component_id", text()),
                ("policy", json!({ "type": "object" })),
                ("grants", objects()),
                ("not_granted", objects()),
            ]),
            Builtin::Unload => always([("component_id", text()), ("tool_names", texts())]),
        })
    }
}

/// The schema of an object that always has these members.
fn always<const N: usize>(members: [(&str, Value); N]) -> Object {
    let required = members.each_ref().map(|(name, _)| *name);
    let properties: Object = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    Object::from_iter([
        ("type".to_owned(), json!("object")),
        ("required".to_owned(), json!(required.as_slice())),
        ("properties".to_owned(), properties.into()),
    ])
}

/// The schema of an argument type, with all subschemas inlined.
fn schema_of<T: JsonSchema>() -> Object {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(simplify).transform(&mut schema);
    let mut schema = schema.to_value();
    match schema.as_object_mut() {
        Some(object) => std::mem::take(object),
        // Arguments are objects.
        None => Object::new(),
    }
}

/// Removes `null` from the types that `Option` produces: `required` already says that
/// the argument may be left out.
fn simplify(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    // Otherwise the title would be the name of the Rust type.
    if object.get("title").is_some_and(Value::is_string) {
        object.shift_remove("title");
    }
    if object.get("type").is_some_and(|kind| kind == "object") {
        let properties = object.entry("properties");
        properties.or_insert_with(|| json!({}));
    }
}
