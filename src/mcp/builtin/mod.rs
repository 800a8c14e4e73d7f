//! The server's own tools.

mod arguments;
mod call_tool;
mod definition;
mod failure;
mod grants;
mod loaded;
mod schemas;
mod tolerate;

use std::sync::{Arc, LazyLock};

use rmcp::model::{CallToolResult, InputRequiredResult, Tool};
use serde_json::{Map, Value, json};

use crate::catalog::Match;
use crate::fetch::Progress;
use crate::reference::ComponentId;
use crate::service::{FreedNames, Origin, Service};

use super::convert::structured;
use super::elicitation::Elicitation;
use super::offer::{Effect, Offer};
use arguments::{ComponentArguments, NoArguments, SearchArguments, UnloadArguments};
use loaded::Loaded;

pub(super) use call_tool::Requested;
pub(super) use failure::Failure;
pub(super) use tolerate::tolerate_object;

/// How many tools there are.
const COUNT: usize = 13;

/// The names that no component's tool may take.
pub const RESERVED_NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let mut nth = 0;
    while nth < COUNT {
        names[nth] = Builtin::ALL[nth].name();
        nth += 1;
    }
    names
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// Calls a component's tool. The handler resolves that tool before the call
    /// begins.
    Call,
    Grant(PermissionKind),
    List,
    Load,
    Policy,
    Reset,
    Revoke(PermissionKind),
    Search,
    Unload,
}

/// The answer of a built-in tool.
pub(super) enum Answered {
    Done(CallToolResult),
    /// The client must ask the user this and repeat the call with the answers.
    Asks(InputRequiredResult),
}

/// What a permission concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PermissionKind {
    Environment,
    Network,
    Storage,
}

impl Builtin {
    /// Sorted by name.
    const ALL: [Builtin; COUNT] = [
        Builtin::Call,
        Builtin::Policy,
        Builtin::Grant(PermissionKind::Environment),
        Builtin::Grant(PermissionKind::Network),
        Builtin::Grant(PermissionKind::Storage),
        Builtin::List,
        Builtin::Load,
        Builtin::Reset,
        Builtin::Revoke(PermissionKind::Environment),
        Builtin::Revoke(PermissionKind::Network),
        Builtin::Revoke(PermissionKind::Storage),
        Builtin::Search,
        Builtin::Unload,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Builtin::Call => "call-tool",
            Builtin::Grant(PermissionKind::Environment) => "grant-environment-variable-permission",
            Builtin::Grant(PermissionKind::Network) => "grant-network-permission",
            Builtin::Grant(PermissionKind::Storage) => "grant-storage-permission",
            Builtin::List => "list-components",
            Builtin::Load => "load-component",
            Builtin::Policy => "get-policy",
            Builtin::Reset => "reset-permission",
            Builtin::Revoke(PermissionKind::Environment) => {
                "revoke-environment-variable-permission"
            }
            Builtin::Revoke(PermissionKind::Network) => "revoke-network-permission",
            Builtin::Revoke(PermissionKind::Storage) => "revoke-storage-permission",
            Builtin::Search => "search-components",
            Builtin::Unload => "unload-component",
        }
    }

    pub(super) fn named(name: &str) -> Option<Builtin> {
        Builtin::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// The `tools/list` entries of the offered tools, sorted by name.
    pub(super) fn offered(offer: Offer) -> impl Iterator<Item = Tool> {
        Builtin::ALL
            .into_iter()
            .filter(move |builtin| offer.admits(builtin.effect()).is_ok())
            .map(|builtin| builtin.tool().clone())
    }

    fn tool(self) -> &'static Tool {
        static TOOLS: LazyLock<[Tool; COUNT]> =
            LazyLock::new(|| Builtin::ALL.map(Builtin::definition));
        let place = Builtin::ALL.iter().position(|&tool| tool == self);
        // `ALL` has every tool, as a test asserts.
        &TOOLS[place.unwrap_or_default()]
    }

    pub(super) fn effect(self) -> Effect {
        match self {
            Builtin::List | Builtin::Search | Builtin::Policy => Effect::Look,
            Builtin::Load | Builtin::Unload | Builtin::Revoke(_) | Builtin::Reset => Effect::Change,
            Builtin::Grant(_) => Effect::Grant,
            Builtin::Call => Effect::Call,
        }
    }

    pub(super) async fn call(
        self,
        offer: Offer,
        service: &Arc<Service>,
        arguments: Map<String, Value>,
        progress: &dyn Progress,
        elicitation: &Elicitation,
    ) -> Result<Answered, Failure> {
        offer
            .admits(self.effect())
            .map_err(|option| Failure::Disabled { tool: self, option })?;
        let result = match self {
            Builtin::Call => return Err(self.invalid("it does not call itself")),
            Builtin::List => {
                let NoArguments {} = self.parse(arguments)?;
                structured(&json!({ "components": service.list().await? }))
            }
            Builtin::Load => {
                let catalog = service.catalog().await?;
                let request = self.load_request(offer, &catalog, self.parse(arguments)?)?;
                let loading = service.load_for_agent(request, progress, elicitation);
                let outcome = loading.await?;
                structured(&Loaded::of(outcome, service.toolbox(), elicitation.fault()))
            }
            Builtin::Search => {
                let SearchArguments { query } = self.parse(arguments)?;
                let query = query.unwrap_or_default();
                let catalog = service.catalog().await?;
                let found = catalog.search(&[query], Match::Ranked);
                structured(&json!({ "components": service.with_installed(found).await? }))
            }
            Builtin::Unload => {
                let UnloadArguments { id } = self.parse(arguments)?;
                let id = self.component(&id)?;
                structured(&service.unload(&id, FreedNames::Reserved).await?)
            }
            Builtin::Policy => {
                let ComponentArguments { component_id } = self.parse(arguments)?;
                structured(&service.policy(&self.component(&component_id)?).await?)
            }
            Builtin::Reset => {
                let ComponentArguments { component_id } = self.parse(arguments)?;
                let id = self.component(&component_id)?;
                structured(&service.reset(&id, Origin::McpTool).await?)
            }
            Builtin::Grant(kind) => {
                match self.grant(kind, service, arguments, elicitation).await? {
                    Some(report) => structured(&report),
                    // Nothing is granted before the answer arrives.
                    None => {
                        let questions = elicitation.open().ok_or(Failure::Declined)?;
                        return Ok(Answered::Asks(questions));
                    }
                }
            }
            Builtin::Revoke(kind) => structured(&self.revoke(kind, service, arguments).await?),
        };
        Ok(match elicitation.open() {
            Some(questions) => Answered::Asks(questions),
            None => Answered::Done(result),
        })
    }

    fn component(self, id: &str) -> Result<ComponentId, Failure> {
        ComponentId::parse(id).map_err(|fault| self.invalid(fault))
    }

    fn invalid(self, fault: impl ToString) -> Failure {
        Failure::Arguments {
            tool: self,
            fault: fault.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_are_in_order_of_name() {
        assert!(RESERVED_NAMES.is_sorted());
    }
}
