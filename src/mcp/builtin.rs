//! The four tools of the server itself.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rmcp::model::{CallToolResult, Tool, ToolAnnotations};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::fetch::Progress;
use crate::reference::{ComponentId, InvalidReference, Reference};
use crate::service::{Compile, Error, LoadRequest, NobodyToAsk, Origin, PolicyChoice, Service};
use crate::verify::Verification;

use super::convert::structured;
use super::offer::{Effect, Offer};

/// The names no component may take.
pub const RESERVED_NAMES: [&str; 4] = [
    Builtin::List.name(),
    Builtin::Load.name(),
    Builtin::Search.name(),
    Builtin::Unload.name(),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    List,
    Load,
    Search,
    Unload,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadArguments {
    uri: Option<String>,
    /// What earlier servers of this kind called the URI.
    path: Option<String>,
    name: Option<String>,
    digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnloadArguments {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchArguments {
    query: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

impl Builtin {
    const ALL: [Builtin; 4] = [
        Builtin::List,
        Builtin::Load,
        Builtin::Search,
        Builtin::Unload,
    ];

    const fn name(self) -> &'static str {
        match self {
            Builtin::List => "list-components",
            Builtin::Load => "load-component",
            Builtin::Search => "search-components",
            Builtin::Unload => "unload-component",
        }
    }

    pub(super) fn named(name: &str) -> Option<Builtin> {
        Builtin::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// How the tools that are offered look in `tools/list`, in order of name.
    pub(super) fn offered(offer: Offer) -> impl Iterator<Item = Tool> {
        static TOOLS: LazyLock<Vec<Tool>> =
            LazyLock::new(|| Builtin::ALL.map(Builtin::definition).into());
        let tools = Builtin::ALL.into_iter().zip(TOOLS.iter());
        tools
            .filter(move |(builtin, _)| offer.admits(builtin.effect()).is_ok())
            .map(|(_, tool)| tool.clone())
    }

    fn effect(self) -> Effect {
        match self {
            Builtin::List | Builtin::Search => Effect::Look,
            Builtin::Load | Builtin::Unload => Effect::Change,
        }
    }

    pub(super) async fn call(
        self,
        offer: Offer,
        service: &Arc<Service>,
        arguments: Map<String, Value>,
        progress: &dyn Progress,
    ) -> Result<CallToolResult, Failure> {
        offer
            .admits(self.effect())
            .map_err(|option| Failure::Disabled { tool: self, option })?;
        match self {
            Builtin::List => {
                let NoArguments {} = self.parse(arguments)?;
                Ok(structured(&json!({ "components": service.list()? })))
            }
            Builtin::Load => {
                let request = self.load_request(self.parse(arguments)?)?;
                Ok(structured(
                    &service.load(request, progress, &NobodyToAsk).await?,
                ))
            }
            Builtin::Search => {
                let SearchArguments { query } = self.parse(arguments)?;
                let query = query.unwrap_or_default();
                let terms: Vec<String> = query.split_whitespace().map(str::to_owned).collect();
                Ok(structured(&json!({ "components": service.search(&terms) })))
            }
            Builtin::Unload => {
                let UnloadArguments { id } = self.parse(arguments)?;
                let id = ComponentId::parse(&id).map_err(|fault| self.invalid(fault))?;
                Ok(structured(&service.unload(&id).await?))
            }
        }
    }

    fn load_request(self, arguments: LoadArguments) -> Result<LoadRequest, Failure> {
        let uri = match (arguments.uri, arguments.path) {
            (Some(uri), None) | (None, Some(uri)) => uri,
            (None, None) => return Err(self.invalid("missing field `uri`")),
            (Some(_), Some(_)) => return Err(self.invalid("`path` is another name for `uri`")),
        };
        let parse_name = |name: String| ComponentId::parse(&name);
        let parse_digest = |digest: String| digest.parse::<Digest>();
        Ok(LoadRequest {
            reference: Reference::parse(&uri, &working_directory())?,
            name: arguments
                .name
                .map(parse_name)
                .transpose()
                .map_err(|fault| self.invalid(fault))?,
            digest: arguments
                .digest
                .map(parse_digest)
                .transpose()
                .map_err(|fault| self.invalid(fault))?,
            verification: Verification::Required,
            // The tools are there at once; the first call waits for its code.
            compile: Compile::Background,
            policy: PolicyChoice::Bundled,
            origin: Origin::Elicitation,
        })
    }

    fn parse<T: DeserializeOwned>(self, arguments: Map<String, Value>) -> Result<T, Failure> {
        serde_json::from_value(Value::Object(arguments)).map_err(|fault| self.invalid(fault))
    }

    fn invalid(self, fault: impl ToString) -> Failure {
        Failure::Arguments {
            tool: self,
            fault: fault.to_string(),
        }
    }

    fn definition(self) -> Tool {
        Tool::new(self.name(), self.description(), self.input_schema())
            .with_title(self.title())
            .with_raw_output_schema(Arc::new(self.output_schema()))
            .with_annotations(self.annotations())
    }

    fn title(self) -> &'static str {
        match self {
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
        }
    }

    fn annotations(self) -> ToolAnnotations {
        let hints = ToolAnnotations::with_title(self.title());
        match self {
            Builtin::List | Builtin::Search => hints.read_only(true).open_world(false),
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

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

/// What a relative path of an agent is relative to.
fn working_directory() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("/").into())
}

/// Why a built-in tool failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("Invalid arguments for `{}`: {fault}", tool.name())]
    Arguments { tool: Builtin, fault: String },
    #[error("The tool `{}` is switched off", tool.name())]
    Disabled { tool: Builtin, option: &'static str },
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Service(#[from] Error),
}

impl Diagnose for Failure {
    fn code(&self) -> &'static str {
        match self {
            Failure::Arguments { .. } => "invalid-arguments",
            Failure::Disabled { .. } => "tool-disabled",
            Failure::Reference(error) => error.code(),
            Failure::Service(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Failure::Arguments { .. } | Failure::Disabled { .. } => Class::Usage,
            Failure::Reference(error) => error.class(),
            Failure::Service(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Failure::Arguments { .. } => Some("see the tool's inputSchema".into()),
            Failure::Disabled { option, .. } => Some(format!(
                "the server was started with `{option}`; only its operator can change that"
            )),
            Failure::Reference(error) => error.hint(),
            Failure::Service(error) => error.hint(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Failure::Arguments { .. } | Failure::Disabled { .. } => Vec::new(),
            Failure::Reference(error) => error.facts(),
            Failure::Service(error) => error.facts(),
        }
    }
}
