//! How the tools look in `tools/list`.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::{Builtin, Kind};

impl Builtin {
    pub(super) fn definition(self) -> Tool {
        Tool::new(self.name(), self.description(), self.input_schema())
            .with_title(self.title())
            .with_raw_output_schema(Arc::new(self.output_schema()))
            .with_annotations(self.annotations())
    }

    fn title(self) -> &'static str {
        match self {
            Builtin::Grant(Kind::Environment) => "Grant an environment variable",
            Builtin::Grant(Kind::Network) => "Grant network access",
            Builtin::Grant(Kind::Storage) => "Grant file access",
            Builtin::Policy => "Show what a component may do",
            Builtin::Reset => "Take all permissions back",
            Builtin::Revoke(Kind::Environment) => "Take an environment variable back",
            Builtin::Revoke(Kind::Network) => "Take network access back",
            Builtin::Revoke(Kind::Storage) => "Take file access back",
            Builtin::List => "List components",
            Builtin::Load => "Load a component",
            Builtin::Search => "Search components",
            Builtin::Unload => "Unload a component",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Builtin::List => "List the installed WebAssembly components and their tools.",
            Builtin::Load => {
                "Install a WebAssembly component from an OCI registry, an HTTPS address or a \
                 file, and offer its functions as tools. A component that is unchanged at its \
                 source is not downloaded again."
            }
            Builtin::Search => {
                "Search the catalog of known components; the `uri` of an entry can be given to \
                 `load-component`. Without a query, all entries are listed."
            }
            Builtin::Unload => "Uninstall a component and withdraw its tools.",
            Builtin::Policy => {
                "Show what a component is granted, who granted it, and what it asks for beyond that."
            }
            Builtin::Grant(Kind::Environment) => {
                "Let a component see an environment variable of the server, or its secret of \
                 this name. The user is asked where the client can. In force at the next call."
            }
            Builtin::Grant(Kind::Network) => {
                "Let a component make requests to a host. The user is asked where the client \
                 can. In force at the next call."
            }
            Builtin::Grant(Kind::Storage) => {
                "Let a component read or write files. The user is asked where the client can. \
                 In force at the next call."
            }
            Builtin::Revoke(_) => {
                "Take a grant back, named as it was given. In force at the next call."
            }
            Builtin::Reset => "Take all grants of a component back. In force at the next call.",
        }
    }

    fn annotations(self) -> ToolAnnotations {
        let hints = ToolAnnotations::with_title(self.title());
        match self {
            Builtin::List | Builtin::Search | Builtin::Policy => {
                hints.read_only(true).open_world(false)
            }
            Builtin::Grant(_) | Builtin::Revoke(_) | Builtin::Reset => hints
                .read_only(false)
                .destructive(true)
                .idempotent(true)
                .open_world(false),
            Builtin::Load => hints
                .read_only(false)
                .destructive(false)
                .idempotent(true)
                .open_world(true),
            Builtin::Unload => hints
                .read_only(false)
                .destructive(true)
                .idempotent(true)
                .open_world(false),
        }
    }

    fn input_schema(self) -> Map<String, Value> {
        let (properties, required) = match self {
            Builtin::List => (json!({}), json!([])),
            // `uri` is not in `required`, since `path` may stand for it, and
            // several agents refuse a schema with `anyOf` at the top.
            Builtin::Load => (
                json!({
                    "uri": {
                        "type": "string",
                        "description": "Where the component is, such as \
                            oci://ghcr.io/owner/name:1.0, https://example.com/name.wasm, \
                            file:///path/name.wasm or oci-layout:///path:tag. Required unless `path` is given.",
                    },
                    "path": { "type": "string", "description": "Another name for `uri`." },
                    "name": {
                        "type": "string",
                        "pattern": "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$",
                        "description": "The id to install the component under; otherwise made \
                            from the URI.",
                    },
                    "digest": {
                        "type": "string",
                        "pattern": "^sha256:[0-9a-f]{64}$",
                        "description": "Refuse anything but the component, or the OCI manifest, \
                            with this digest.",
                    },
                }),
                json!([]),
            ),
            Builtin::Search => (
                json!({
                    "query": {
                        "type": "string",
                        "description": "Words that must all occur in the name, description or \
                            URI.",
                    },
                }),
                json!([]),
            ),
            Builtin::Policy | Builtin::Reset => (
                json!({
                    "component_id": { "type": "string", "description": "The component's id." },
                }),
                json!(["component_id"]),
            ),
            Builtin::Grant(kind) | Builtin::Revoke(kind) => (
                json!({
                    "component_id": { "type": "string", "description": "The component's id." },
                    "details": kind.details(),
                }),
                json!(["component_id", "details"]),
            ),
            Builtin::Unload => (
                json!({
                    "id": { "type": "string", "description": "The component's id." },
                }),
                json!(["id"]),
            ),
        };
        object([
            ("type", json!("object")),
            ("properties", properties),
            ("required", required),
            ("additionalProperties", json!(false)),
        ])
    }

    fn output_schema(self) -> Map<String, Value> {
        let names = json!({ "type": "array", "items": { "type": "string" } });
        let permissions = json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "permission": { "type": "object" },
                    "description": { "type": "string" },
                },
                "required": ["permission", "description"],
            },
        });
        let list = |properties: Value, required: Value| {
            json!({
                "components": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": properties,
                        "required": required,
                    },
                },
            })
        };
        let (properties, required) = match self {
            Builtin::List => {
                let component = json!({
                    "id": { "type": "string" },
                    "status": { "enum": ["ok", "damaged"] },
                    "source": { "type": "string" },
                    "size": { "type": "integer", "minimum": 0 },
                    "tool_names": names,
                    "reason": { "type": "string" },
                });
                (
                    list(component, json!(["id", "status"])),
                    json!(["components"]),
                )
            }
            Builtin::Load => (
                json!({
                    "component_id": { "type": "string" },
                    "status": { "enum": ["new", "replaced", "already-loaded"] },
                    "tool_names": names,
                    "requested_permissions": { "type": ["object", "null"] },
                    "granted_permissions": permissions,
                    "not_granted": permissions,
                    "remarks": names,
                    "receipt": { "type": "object" },
                }),
                json!([
                    "component_id",
                    "status",
                    "tool_names",
                    "requested_permissions",
                    "granted_permissions",
                    "not_granted",
                    "receipt"
                ]),
            ),
            Builtin::Search => {
                let text = json!({ "type": "string" });
                let entry = json!({ "name": text, "description": text, "uri": text });
                (list(entry, json!(["name", "uri"])), json!(["components"]))
            }
            Builtin::Policy | Builtin::Reset | Builtin::Grant(_) | Builtin::Revoke(_) => (
                json!({
                    "component_id": { "type": "string" },
                    "policy": { "type": "object" },
                    "grants": permissions,
                    "requested": { "type": ["object", "null"] },
                    "not_granted": permissions,
                    "remarks": names,
                }),
                json!([
                    "component_id",
                    "policy",
                    "grants",
                    "requested",
                    "not_granted"
                ]),
            ),
            Builtin::Unload => (
                json!({ "component_id": { "type": "string" }, "tool_names": names }),
                json!(["component_id", "tool_names"]),
            ),
        };
        object([
            ("type", json!("object")),
            ("properties", properties),
            ("required", required),
        ])
    }
}

impl Kind {
    fn details(self) -> Value {
        let (properties, required) = match self {
            Kind::Environment => (
                json!({
                    "key": { "type": "string", "description": "The variable's name." },
                }),
                json!(["key"]),
            ),
            // Either of the two, which several agents' schemas cannot say.
            Kind::Network => (
                json!({
                    "host": {
                        "type": "string",
                        "description": "A host such as api.example.com, *.example.com or \
                            https://example.com:8443.",
                    },
                    "cidr": {
                        "type": "string",
                        "description": "Instead of a host: a network of addresses such as \
                            10.0.0.0/8.",
                    },
                }),
                json!([]),
            ),
            Kind::Storage => (
                json!({
                    "uri": {
                        "type": "string",
                        "description": "fs:///absolute/path, or fs://name below the server's \
                            working directory; * and ** are wildcards.",
                    },
                    "access": {
                        "type": "array",
                        "items": { "enum": ["read", "write"] },
                        "minItems": 1,
                        "uniqueItems": true,
                    },
                }),
                json!(["uri", "access"]),
            ),
        };
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}
