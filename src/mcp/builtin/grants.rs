//! Permissions that agents grant and revoke.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::plain::plain;
use crate::policy::Permission;
use crate::reference::ComponentId;
use crate::service::denied::Grant;
use crate::service::{Answer, Consent, Origin, PolicyReport, Question, Service};

use super::super::elicitation::Elicitation;
use super::arguments::{EnvironmentDetails, NetworkDetails, PermissionArguments, StorageDetails};
use super::{Builtin, Failure, PermissionKind};

impl PermissionKind {
    /// The key of these permissions in a policy.
    fn section(self) -> &'static str {
        match self {
            PermissionKind::Environment => "environment",
            PermissionKind::Network => "network",
            PermissionKind::Storage => "storage",
        }
    }
}

impl Builtin {
    /// Asks the user and grants what they agree to. `None` if the client must first
    /// ask and repeat the call. A client without elicitation is trusted to have let
    /// the user approve the call itself.
    pub(super) async fn grant(
        self,
        kind: PermissionKind,
        service: &Arc<Service>,
        arguments: Map<String, Value>,
        elicitation: &Elicitation,
    ) -> Result<Option<PolicyReport>, Failure> {
        let (id, permission) = self.permission(kind, arguments)?;
        let question = service.question(&id, permission).await?;
        if question.permissions.is_empty() {
            return Err(self.invalid("they are too long to be shown to the user"));
        }
        let origin = match elicitation.ask(&question).await {
            Answer::Granted => Origin::Elicitation,
            Answer::Unavailable => Origin::McpTool,
            Answer::Later => return Ok(None),
            Answer::Refused => {
                return Err(match elicitation.fault() {
                    None => Failure::Declined,
                    Some(fault) => Failure::Unanswered {
                        fault,
                        command: commands(&question),
                    },
                });
            }
        };
        Ok(Some(service.grant_asked(question, origin).await?))
    }

    pub(super) async fn revoke(
        self,
        kind: PermissionKind,
        service: &Arc<Service>,
        arguments: Map<String, Value>,
    ) -> Result<PolicyReport, Failure> {
        let (id, permission) = self.permission(kind, arguments)?;
        Ok(service.revoke(&id, permission, Origin::McpTool).await?)
    }

    fn permission(
        self,
        kind: PermissionKind,
        arguments: Map<String, Value>,
    ) -> Result<(ComponentId, Permission), Failure> {
        match kind {
            PermissionKind::Environment => self.rule::<EnvironmentDetails>(kind, arguments),
            PermissionKind::Network => self.rule::<NetworkDetails>(kind, arguments),
            PermissionKind::Storage => self.rule::<StorageDetails>(kind, arguments),
        }
    }

    fn rule<D: Serialize + DeserializeOwned>(
        self,
        kind: PermissionKind,
        arguments: Map<String, Value>,
    ) -> Result<(ComponentId, Permission), Failure> {
        let arguments: PermissionArguments<D> = self.parse(arguments)?;
        let id = self.component(&arguments.component_id)?;
        let written = json!({ kind.section(): arguments.details });
        let permission = serde_json::from_value(written);
        let permission = permission.map_err(|fault| self.invalid(plain(fault)))?;
        Ok((id, permission))
    }
}

/// The shell commands that grant the permissions in the question.
fn commands(question: &Question) -> String {
    let grant =
        |permission: &Permission| Grant::new(&question.component_id, permission.clone()).command();
    let commands: Vec<String> = question.permissions.iter().map(grant).collect();
    commands.join("` and `")
}
