//! A component's grants, to be shown.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::install::{Described, Request, described};
use crate::reference::ComponentId;
use crate::store::{Granted, Metadata, Origin, RequestSource};

use crate::service::Service;

/// What a component is granted, by whom, and what it asks for beyond that.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyReport {
    pub component_id: ComponentId,
    /// The policy in force.
    pub policy: Value,
    pub grants: Vec<ReportedGrant>,
    /// What the policy denies, whatever is granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Described>,
    /// The permissions that the component asks for, if it asks.
    pub requested: Option<Value>,
    /// What it asks for and is not granted.
    pub not_granted: Vec<Described>,
    /// Plain sentences on what is odd about the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The policy in force as its document.
    #[serde(skip)]
    pub document: String,
}

/// A permission that is granted, and by whom.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedGrant {
    #[serde(flatten)]
    pub described: Described,
    /// Absent, as the time is, when the policy's file was edited by hand.
    pub granted_by: Option<Origin>,
    pub granted_at: Option<Timestamp>,
    /// The request it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSource>,
}

impl Service {
    pub(super) fn report(&self, metadata: &Metadata, granted: &Granted) -> PolicyReport {
        let request = Request::of(metadata);
        PolicyReport {
            component_id: metadata.component_id.clone(),
            policy: serde_json::json!(granted.policy),
            grants: grants(granted),
            denied: described(granted.policy.denials()),
            requested: metadata.requested_permissions.clone(),
            not_granted: described(self.installer.beyond(&request.policy, &granted.policy)),
            remarks: request.remarks,
            document: granted.policy.to_yaml(),
        }
    }
}

fn grants(granted: &Granted) -> Vec<ReportedGrant> {
    let permissions = granted.policy.permissions().into_iter();
    permissions
        .map(|permission| {
            let record = granted.record.of(&permission);
            ReportedGrant {
                granted_by: record.map(|record| record.granted_by),
                granted_at: record.map(|record| record.granted_at),
                request: record.and_then(|record| record.request.clone()),
                described: permission.into(),
            }
        })
        .collect()
}
