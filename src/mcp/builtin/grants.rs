//! Permissions that agents grant and take back.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::policy::Permission;
use crate::reference::ComponentId;
use crate::service::{Answer, Consent, Origin, PolicyReport, Service};

use super::super::consent::Asking;
use super::arguments::PermissionArguments;
use super::{Builtin, Failure, PermissionKind};

impl PermissionKind {
    /// The key under which a policy has such permissions.
    fn section(self) -> &'static str {
        match self {
            PermissionKind::Environment => "environment",
            PermissionKind::Network => "network",
            PermissionKind::Storage => "storage",
        }
    }
}

impl Builtin {
    /// Grants what the user agrees to. A client that cannot ask the user has
    /// let the user approve the call itself.
    pub(super) async fn grant(
        self,
        kind: PermissionKind,
        service: &Arc<Service>,
        arguments: Map<String, Value>,
        asking: &Asking,
    ) -> Result<PolicyReport, Failure> {
        let (id, permission) = self.permission(kind, arguments)?;
        let question = service.question(&id, permission)?;
        if question.permissions.is_empty() {
            return Err(self.invalid("they are too long to be shown to the user"));
        }
        let origin = match asking.ask(&question).await {
            Answer::Granted => Origin::Elicitation,
            Answer::Unavailable => Origin::McpTool,
            Answer::Refused => return Err(Failure::Declined),
            Answer::Later => return Err(Failure::Asked),
        };
        Ok(service.grant_asked(question, origin).await?)
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
        let arguments: PermissionArguments = self.parse(arguments)?;
        let id = self.component(&arguments.component_id)?;
        let written = json!({ kind.section(): arguments.details });
        let permission = serde_json::from_value(written).map_err(|fault| self.invalid(fault))?;
        Ok((id, permission))
    }
}
