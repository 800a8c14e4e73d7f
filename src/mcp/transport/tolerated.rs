//! Accepts parameters that clients are known to send in a form that differs from the protocol, if
//! their meaning is certain.

use rmcp::model::{
    ClientCapabilities, ElicitationCapability, Implementation, InitializeRequestParams,
    ProtocolVersion,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::mcp::builtin::tolerate_object;

/// Most characters of a client's name, version or revision.
const SHORT: usize = 256;

/// The parameters in the protocol's form, or `None` if they have it already. Accepts `[]`, which
/// PHP sends, for an empty object, and `""` for no cursor.
pub(super) fn params(sent: &RawValue) -> Option<Value> {
    let sent: Value = serde_json::from_str(sent.get()).ok()?;
    let mut meant = sent.clone();
    tolerate_object(&mut meant);
    if let Some(members) = meant.as_object_mut() {
        if let Some(meta) = members.get_mut("_meta") {
            tolerate_object(meta);
        }
        members.retain(|name, value| name != "cursor" || value != "");
    }
    (meant != sent).then_some(meant)
}

/// Reads the parameters of an `initialize` that the server uses during the session: the revision,
/// the names for the audit log, and whether the client shows forms. A missing or malformed part is
/// treated as absent, and the session begins without forms.
pub(super) fn initialize(params: &Value) -> InitializeRequestParams {
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = elicitation(&params["capabilities"]["elicitation"]);
    let client = &params["clientInfo"];
    let client = Implementation::new(short(&client["name"]), short(&client["version"]));
    let revision = Value::String(short(&params["protocolVersion"]));
    InitializeRequestParams::new(capabilities, client)
        // Any text is accepted as a revision.
        .with_protocol_version(ProtocolVersion::deserialize(&revision).unwrap_or_default())
}

fn elicitation(sent: &Value) -> Option<ElicitationCapability> {
    let mut sent = sent.clone();
    tolerate_object(&mut sent);
    ElicitationCapability::deserialize(&sent).ok()
}

/// A text or number, shortened; empty for any other value.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(SHORT).collect(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_that_says_little_or_nonsense_of_itself_begins_a_session() {
        let said = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "elicitation": [], "roots": [], "experimental": [] },
            "clientInfo": { "name": "x", "version": 1 },
        });
        let understood = initialize(&said);
        assert_eq!(understood.protocol_version, ProtocolVersion::V_2025_06_18);
        assert!(understood.capabilities.elicitation.is_some());
        assert_eq!(understood.client_info, Implementation::new("x", "1"));
        for said in [
            json!({}),
            json!([]),
            json!(null),
            json!({ "capabilities": [], "clientInfo": null, "protocolVersion": {} }),
            json!({ "capabilities": { "elicitation": null }, "clientInfo": { "name": {} } }),
            json!({ "capabilities": { "elicitation": true } }),
        ] {
            let understood = initialize(&said);
            assert!(understood.capabilities.elicitation.is_none(), "{said}");
            assert_eq!(
                understood.client_info,
                Implementation::new("", ""),
                "{said}"
            );
        }
    }

    #[test]
    fn empty_lists_are_empty_objects_and_empty_cursors_none() {
        let read = |text: &str| params(serde_json::from_str(text).unwrap());
        assert_eq!(read("[]"), Some(json!({})));
        assert_eq!(read(r#"{"_meta":[]}"#), Some(json!({ "_meta": {} })));
        assert_eq!(read(r#"{"cursor":"","a":1}"#), Some(json!({ "a": 1 })));
        for same in ["{}", "null", "[1]", r#"{"cursor":"x","_meta":{}}"#, "7"] {
            assert_eq!(read(same), None, "{same}");
        }
    }
}
