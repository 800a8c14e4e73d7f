//! A component's grants, in the form in which they are shown.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::install::{Described, Request, described};
use crate::reference::ComponentId;
use crate::store::{Granted, Metadata, Origin, RequestSource};

use crate::service::Service;

/// What a component is granted and by whom, and what else it requests.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyReport {
    pub component_id: ComponentId,
    /// The policy in force.
    pub policy: Value,
    pub grants: Vec<ReportedGrant>,
    /// What the policy denies, even if it is granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Described>,
    /// The permissions that the component requests, if any.
    pub requested: Option<Value>,
    /// The requested permissions that are not granted.
    pub not_granted: Vec<Described>,
    /// Sentences about what is unusual in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The policy in force, as YAML.
    #[serde(skip)]
    pub document: String,
}

/// A granted permission, and who granted it.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedGrant {
    #[serde(flatten)]
    pub described: Described,
    /// Absent, like the time, when the policy file was edited by hand.
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
