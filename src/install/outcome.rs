//! The outcome of a load.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::fetch::{Receipt, Resolved};
use crate::reference::{ComponentId, Shown};
use crate::schema::Uncallable;
use crate::store::Metadata;
use crate::verify::Trust;

use super::{Described, Settled};

/// The relation of the loaded component to the installed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadStatus {
    New,
    Replaced,
    AlreadyLoaded,
}

#[derive(Debug, Clone, Serialize)]
pub struct LoadOutcome {
    pub component_id: ComponentId,
    pub status: LoadStatus,
    /// The artifact that the name of a package stood for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Shown>,
    pub tool_names: Vec<String>,
    /// The functions that cannot be tools, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_callable: Vec<Uncallable>,
    /// The permissions that the artifact requests.
    pub requested_permissions: Option<Value>,
    /// All permissions that the component has now.
    pub granted_permissions: Vec<Described>,
    /// The permissions that it requests and does not have.
    pub not_granted: Vec<Described>,
    /// Sentences about what is unusual in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    pub receipt: LoadReceipt,
}

/// Measurements of one load.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReceipt {
    #[serde(flatten)]
    pub transfer: Receipt,
    pub trust: Trust,
    /// Milliseconds spent on compiling; absent if the code is compiled later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_ms: Option<u64>,
    pub total_ms: u64,
}

/// An installed component whose grants are not settled yet.
pub struct Loaded {
    pub metadata: Metadata,
    pub status: LoadStatus,
    pub tool_names: Vec<String>,
    pub transfer: Receipt,
    pub compile_ms: Option<u64>,
}

impl Loaded {
    /// The report of a load that began at `started`.
    pub fn outcome(self, settled: Settled, started: Instant) -> LoadOutcome {
        let package = &self.metadata.package;
        LoadOutcome {
            source: package.as_ref().map(|_| self.metadata.source.shown()),
            component_id: self.metadata.component_id,
            status: self.status,
            tool_names: self.tool_names,
            not_callable: self.metadata.not_callable.unwrap_or_default(),
            requested_permissions: self.metadata.requested_permissions,
            granted_permissions: settled.granted,
            not_granted: settled.not_granted,
            remarks: settled.remarks,
            receipt: LoadReceipt {
                transfer: self.transfer,
                trust: self.metadata.trust,
                compile_ms: self.compile_ms,
                total_ms: elapsed_ms(started),
            },
        }
    }
}

/// The receipt of a load that found nothing to download.
pub(super) fn unchanged(receipt: &Receipt, resolved: Option<&Resolved>) -> Receipt {
    Receipt {
        hosts_tried: resolved.map(Resolved::hosts_tried).unwrap_or_default(),
        bytes_downloaded: 0,
        requests: resolved.map_or(0, Resolved::requests),
        retries: 0,
        bytes_resumed: 0,
        fetch_ms: 0,
        ..receipt.clone()
    }
}

pub(super) fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
