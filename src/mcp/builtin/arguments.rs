//! What the tools take.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::reference::{ComponentId, Reference};
use crate::service::{Compile, LoadRequest, Origin, PolicyChoice};
use crate::verify::Verification;

use super::super::offer::{Effect, Offer};
use super::{Builtin, Failure};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadArguments {
    pub uri: Option<String>,
    /// What earlier servers of this kind called the URI.
    pub path: Option<String>,
    pub name: Option<String>,
    pub digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallArguments {
    pub name: String,
    pub arguments: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnloadArguments {
    pub id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchArguments {
    pub query: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ComponentArguments {
    pub component_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionArguments {
    pub component_id: String,
    /// As in a policy.
    pub details: Map<String, Value>,
}

impl Builtin {
    pub(super) fn load_request(
        self,
        offer: Offer,
        arguments: LoadArguments,
    ) -> Result<LoadRequest, Failure> {
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
            policy: match offer.admits(Effect::Grant) {
                Ok(()) => PolicyChoice::Bundled,
                Err(_) => PolicyChoice::Leave,
            },
            origin: Origin::Elicitation,
        })
    }

    /// The component that a call is about, as far as its arguments tell.
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
                    let reference = Reference::parse(uri, &working_directory()).ok()?;
                    return reference.default_id().ok();
                }
            },
            Builtin::Unload => text("id"),
            Builtin::Policy | Builtin::Reset | Builtin::Grant(_) | Builtin::Revoke(_) => {
                text("component_id")
            }
        };
        ComponentId::parse(id?).ok()
    }

    pub(super) fn parse<T: DeserializeOwned>(
        self,
        arguments: Map<String, Value>,
    ) -> Result<T, Failure> {
        serde_json::from_value(Value::Object(arguments)).map_err(|fault| self.invalid(fault))
    }
}

/// What a relative path of an agent is relative to.
fn working_directory() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("/").into())
}
