//! What the tools take and give, as JSON Schema.

use serde_json::{Map, Value, json};

use super::{Builtin, PermissionKind};

/// Properties of an object, and which of them there always are.
type Members = (Value, Value);

impl Builtin {
    pub(super) fn input_schema(self) -> Map<String, Value> {
        let (properties, required) = match self {
            Builtin::Call => call_arguments(),
            Builtin::List => (json!({}), json!([])),
            Builtin::Load => load_arguments(),
            Builtin::Search => search_arguments(),
            Builtin::Policy | Builtin::Reset => {
                (json!({ "component_id": id() }), json!(["component_id"]))
            }
            Builtin::Grant(kind) | Builtin::Revoke(kind) => (
                json!({ "component_id": id(), "details": kind.details() }),
                json!(["component_id", "details"]),
            ),
            Builtin::Unload => (json!({ "id": id() }), json!(["id"])),
        };
        object([
            ("type", json!("object")),
            ("properties", properties),
            ("required", required),
            ("additionalProperties", json!(false)),
        ])
    }

    /// None for `call-tool`, whose result is that of the tool it calls.
    pub(super) fn output_schema(self) -> Option<Map<String, Value>> {
        let (properties, required) = match self {
            Builtin::Call => return None,
            Builtin::List => listed_components(),
            Builtin::Load => load_outcome(),
            Builtin::Search => found_components(),
            Builtin::Policy | Builtin::Reset | Builtin::Grant(_) | Builtin::Revoke(_) => {
                policy_report()
            }
            Builtin::Unload => (
                json!({ "component_id": text(), "tool_names": texts() }),
                json!(["component_id", "tool_names"]),
            ),
        };
        Some(object([
            ("type", json!("object")),
            ("properties", properties),
            ("required", required),
        ]))
    }
}

fn call_arguments() -> Members {
    let properties = json!({
        "name": { "type": "string", "description": "The tool's name." },
        "arguments": {
            "type": "object",
            "description": "The tool's own arguments, as its input schema describes them.",
        },
    });
    (properties, json!(["name"]))
}

/// `uri` is not required, since `path` may stand for it, and several agents
/// refuse a schema with `anyOf` at the top.
fn load_arguments() -> Members {
    let properties = json!({
        "uri": {
            "type": "string",
            "description": "Where the component is, such as oci://ghcr.io/owner/name:1.0, \
                https://example.com/name.wasm, file:///path/name.wasm or \
                oci-layout:///path:tag. Required unless `path` is given.",
        },
        "path": { "type": "string", "description": "Another name for `uri`." },
        "name": {
            "type": "string",
            "pattern": "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$",
            "description": "The id to install the component under; otherwise made from the URI.",
        },
        "digest": {
            "type": "string",
            "pattern": "^sha256:[0-9a-f]{64}$",
            "description": "Refuse anything but the component, or the OCI manifest, with this \
                digest.",
        },
    });
    (properties, json!([]))
}

fn search_arguments() -> Members {
    let query = json!({
        "type": "string",
        "description": "Words that must all occur in the name, description or URI.",
    });
    (json!({ "query": query }), json!([]))
}

impl PermissionKind {
    fn details(self) -> Value {
        let (properties, required) = match self {
            PermissionKind::Environment => (
                json!({ "key": { "type": "string", "description": "The variable's name." } }),
                json!(["key"]),
            ),
            PermissionKind::Network => network_details(),
            PermissionKind::Storage => storage_details(),
        };
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// Either of the two, which several agents' schemas cannot say.
fn network_details() -> Members {
    let properties = json!({
        "host": {
            "type": "string",
            "description": "A host such as api.example.com, *.example.com or \
                https://example.com:8443.",
        },
        "cidr": {
            "type": "string",
            "description": "Instead of a host: a network of addresses such as 10.0.0.0/8.",
        },
    });
    (properties, json!([]))
}

fn storage_details() -> Members {
    let properties = json!({
        "uri": {
            "type": "string",
            "description": "fs:///absolute/path, or fs://name below the server's working \
                directory; * and ** are wildcards.",
        },
        "access": {
            "type": "array",
            "items": { "enum": ["read", "write"] },
            "minItems": 1,
            "uniqueItems": true,
        },
    });
    (properties, json!(["uri", "access"]))
}

fn listed_components() -> Members {
    let properties = json!({
        "id": text(),
        "status": { "enum": ["ok", "damaged"] },
        "source": text(),
        "size": { "type": "integer", "minimum": 0 },
        "tool_names": texts(),
        "reason": text(),
    });
    components((properties, json!(["id", "status"])))
}

fn found_components() -> Members {
    let properties = json!({ "name": text(), "description": text(), "uri": text() });
    components((properties, json!(["name", "uri"])))
}

fn components((properties, required): Members) -> Members {
    let component = json!({
        "type": "object",
        "properties": properties,
        "required": required,
    });
    let components = json!({ "type": "array", "items": component });
    (json!({ "components": components }), json!(["components"]))
}

fn load_outcome() -> Members {
    let properties = json!({
        "component_id": text(),
        "status": { "enum": ["new", "replaced", "already-loaded"] },
        "tool_names": texts(),
        "tools": { "type": "array", "items": { "type": "object" } },
        "how_to_call": text(),
        "requested_permissions": { "type": ["object", "null"] },
        "granted_permissions": permissions(),
        "not_granted": permissions(),
        "remarks": texts(),
        "receipt": { "type": "object" },
    });
    let required = json!([
        "component_id",
        "status",
        "tool_names",
        "tools",
        "how_to_call",
        "requested_permissions",
        "granted_permissions",
        "not_granted",
        "receipt"
    ]);
    (properties, required)
}

fn policy_report() -> Members {
    let properties = json!({
        "component_id": text(),
        "policy": { "type": "object" },
        "grants": permissions(),
        "requested": { "type": ["object", "null"] },
        "not_granted": permissions(),
        "remarks": texts(),
    });
    let required = json!([
        "component_id",
        "policy",
        "grants",
        "requested",
        "not_granted"
    ]);
    (properties, required)
}

fn permissions() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "permission": { "type": "object" },
                "description": { "type": "string" },
            },
            "required": ["permission", "description"],
        },
    })
}

fn id() -> Value {
    json!({ "type": "string", "description": "The component's id." })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}
