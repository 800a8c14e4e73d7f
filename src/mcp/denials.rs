//! Reports the denials of a call to agents, with the shell command and the call of a built-in tool
//! that would grant the permission.

use serde_json::{Value, json};

use crate::policy::Permission;
use crate::service::denied::{self, Denied, Grant};

use super::builtin::{Builtin, PermissionKind};
use super::offer::{Effect, Offer};

/// Each denial, with the grant that would allow it if there is one.
pub(super) fn told(denied: &[Denied], offer: Offer) -> Value {
    denied.iter().map(|denied| one(denied, offer)).collect()
}

/// The hint for an error and the denials before it.
pub(super) fn hint(of_error: Option<String>, denied: &[Denied], offer: Offer) -> Option<String> {
    let hint = denied::hint(of_error, denied)?;
    let first = denied.iter().find_map(|denied| denied.grant.as_ref());
    Some(match first.and_then(|grant| call(grant, offer)) {
        Some((tool, arguments)) => format!("{hint}, over MCP with `{tool}` and `{arguments}`"),
        None => hint,
    })
}

fn one(denied: &Denied, offer: Offer) -> Value {
    let mut told = json!(denied.denial);
    if let Some(grant) = &denied.grant {
        told["grant"] = json!({ "command": grant.command() });
        if let Some((tool, arguments)) = call(grant, offer) {
            told["grant"]["tool"] = tool.into();
            told["grant"]["arguments"] = arguments;
        }
    }
    told
}

/// The tool that gives this grant and its arguments, if agents may grant.
fn call(grant: &Grant, offer: Offer) -> Option<(&'static str, Value)> {
    offer.admits(Effect::Grant).ok()?;
    let (kind, details) = match &grant.permission {
        Permission::Network(rule) => (PermissionKind::Network, json!(rule)),
        Permission::Storage(rule) => (PermissionKind::Storage, json!(rule)),
        Permission::Environment(rule) => (PermissionKind::Environment, json!(rule)),
        Permission::Limit(_) => return None,
    };
    let arguments = json!({ "component_id": grant.component_id, "details": details });
    Some((Builtin::Grant(kind).name(), arguments))
}

#[cfg(test)]
mod tests {
    use super::super::offer::Grants;
    use super::*;
    use crate::policy::Reason;
    use crate::reference::ComponentId;
    use crate::runtime::{Denial, DenialKind};

    #[test]
    fn tools_are_named_to_those_who_have_them() {
        let denial = Denial {
            kind: DenialKind::Read,
            what: "/a".into(),
            is_whole: true,
            reason: Reason::NotGranted,
            times: 1,
        };
        let denied = [Denied::new(&ComponentId::parse("weather").unwrap(), denial)];
        let all = Offer::default();
        let details = json!({ "uri": "fs:///a", "access": ["read"] });
        let grant = json!({
            "command": "wassette permission grant storage weather fs:///a --access read",
            "tool": "grant-storage-permission",
            "arguments": { "component_id": "weather", "details": details },
        });
        assert_eq!(told(&denied, all)[0]["grant"], grant);
        assert!(hint(None, &denied, all).unwrap().contains("over MCP with"));
        let none = Offer {
            grants: Grants::Off,
            ..all
        };
        assert_eq!(
            told(&denied, none)[0]["grant"].as_object().unwrap().len(),
            1
        );
        assert!(!hint(None, &denied, none).unwrap().contains("over MCP"));
    }
}
