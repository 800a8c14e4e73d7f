//! The arguments of the built-in tools. The doc comments of types and fields are the
//! descriptions in their JSON schemas.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::error::plain::plain;
use crate::reference::ComponentId;
use crate::service::{Compile, LoadRequest, Origin, PolicyChoice, SignerRequest};
use crate::verify::Verification;

use super::super::offer::{Effect, Offer};
use super::{Builtin, Failure};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallArguments {
    /// The tool's name.
    pub name: String,
    /// The tool's own arguments, as its input schema describes them.
    pub arguments: Option<Map<String, Value>>,
}

// `uri` is not required, since `path` may replace it, and several agents refuse a
// schema with `anyOf` at the top.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadArguments {
    /// Where the component is, such as oci://ghcr.io/owner/name:1.0,
    /// https://example.com/name.wasm, file:///path/name.wasm or
    /// oci-layout:///path:tag; a package such as owner:name@^1.2; or a name that
    /// search-components gives. Required unless `path` is given.
    pub uri: Option<String>,
    /// Another name for `uri`.
    pub path: Option<String>,
    /// The id to install the component under; otherwise made from the URI.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"))]
    pub name: Option<String>,
    /// Refuse anything but the component, or the OCI manifest, with this digest.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UnloadArguments {
    /// The component's id.
    pub id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArguments {
    /// Words that must all match name, description or URI; the best matches come
    /// first.
    pub query: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComponentArguments {
    /// The component's id.
    pub component_id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionArguments<D> {
    /// The component's id.
    pub component_id: String,
    pub details: D,
}

/// One rule as a policy has it; its schema shows what most rules need.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentDetails {
    /// The variable's name.
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    value_from: Option<String>,
}

// Exactly one of the two, which the schemas of several agents cannot express.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkDetails {
    /// A host such as api.example.com, *.example.com or https://example.com:8443.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Instead of a host: a network of addresses such as 10.0.0.0/8.
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StorageDetails {
    /// fs:///absolute/path, or fs://name below the server's working directory;
    /// * and ** are wildcards.
    uri: String,
    #[schemars(length(min = 1))]
    access: Vec<Mode>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Read,
    Write,
}

impl Builtin {
    pub(super) fn load_request(
        self,
        offer: Offer,
        catalog: &Catalog,
        arguments: LoadArguments,
    ) -> Result<LoadRequest, Failure> {
        let uri = arguments.uri.or(arguments.path);
        let uri = uri.ok_or_else(|| self.invalid("`uri` is missing"))?;
        let parse_name = |name: String| ComponentId::parse(&name);
        let parse_digest = |digest: String| digest.parse::<Digest>();
        // Models add spaces and line ends.
        let located = catalog.locate(uri.trim(), &working_directory())?;
        Ok(LoadRequest {
            reference: located.reference,
            package: None,
            name: arguments
                .name
                .map(parse_name)
                .transpose()
                .map_err(|fault| self.invalid(fault))?,
            digest: arguments
                .digest
                .map(parse_digest)
                .transpose()
                .map_err(|fault| self.invalid(fault))?
                .or(located.digest),
            locked: None,
            verification: Verification::Required,
            // The tools are offered at once; the first call waits for its code.
            compile: Compile::Background,
            policy: match offer.admits(Effect::Grant) {
                Ok(()) => PolicyChoice::Bundled,
                Err(_) => PolicyChoice::Leave,
            },
            // Only the operator accepts another signer.
            signers: SignerRequest::default(),
            origin: Origin::Elicitation,
            manifest: None,
        })
    }

    /// The component that a call is about, if its arguments name one.
    pub(in crate::mcp) fn component_in(
        self,
        arguments: &Map<String, Value>,
    ) -> Option<ComponentId> {
        let text = |key: &str| arguments.get(key).and_then(Value::as_str);
        let id = match self {
            Builtin::Call | Builtin::List | Builtin::Search => None,
            Builtin::Load => match text("name") {
                Some(name) => Some(name),
                None => {
                    let uri = text("uri").or_else(|| text("path"))?;
                    let catalog = Catalog::bundled();
                    let located = catalog.locate(uri, &working_directory()).ok()?;
                    return located.reference.default_id().ok();
                }
            },
            Builtin::Unload
            | Builtin::Policy
            | Builtin::Reset
            | Builtin::Grant(_)
            | Builtin::Revoke(_) => text("component_id").or_else(|| text("id")),
        };
        ComponentId::parse(id?).ok()
    }

    pub(super) fn parse<T: DeserializeOwned>(
        self,
        arguments: Map<String, Value>,
    ) -> Result<T, Failure> {
        serde_json::from_value(Value::Object(arguments)).map_err(|fault| self.invalid(plain(fault)))
    }
}

/// The directory that relative paths of agents start from.
fn working_directory() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("/").into())
}
