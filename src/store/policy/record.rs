//! `<id>.policy.meta.json`: who granted what, and when.
//!
//! The record is for information only; the policy alone grants.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::file::{Links, read_regular};
use crate::policy::{Permission, Policy};
use crate::reference::Reference;

/// Raised when a reader of the previous format would misread the file.
const FORMAT: u32 = 1;
/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The means by which a permission was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A command, its flag or its prompt.
    Cli,
    /// The user's answer to an elicitation in an MCP client.
    Elicitation,
    /// A tool that an agent called.
    McpTool,
    /// `[policy] bundled = "apply"` of the configuration.
    Config,
    /// The manifest of `wassette apply`.
    Manifest,
}

impl Origin {
    /// Returns the name used in the file.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Cli => "cli",
            Origin::Elicitation => "elicitation",
            Origin::McpTool => "mcp-tool",
            Origin::Config => "config",
            Origin::Manifest => "manifest",
        }
    }
}

/// The request that a grant answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSource {
    /// The reference of the component that made the request.
    pub source: Reference,
    /// The digest of that component.
    pub digest: Digest,
}

/// The origin and time of one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    pub permission: Permission,
    pub granted_by: Origin,
    pub granted_at: Timestamp,
    /// Absent when no component requested the permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSource>,
}

/// The records of one component's grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyRecord {
    grants: Vec<GrantRecord>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    grants: Vec<GrantRecord>,
}

/// The origin of a grant, and the request that it answers.
#[derive(Debug, Clone)]
pub struct Grantor {
    pub origin: Origin,
    pub request: Option<RequestSource>,
}

impl From<Origin> for Grantor {
    fn from(origin: Origin) -> Self {
        Grantor {
            origin,
            request: None,
        }
    }
}

impl PolicyRecord {
    /// Returns the record of a permission; `None` if it was added to the policy file by hand.
    pub fn of(&self, permission: &Permission) -> Option<&GrantRecord> {
        self.grants
            .iter()
            .find(|grant| grant.permission == *permission)
    }

    /// Drops the records of grants made by other means than `origin`.
    pub(in crate::store) fn keep_those_of(&mut self, origin: Origin) {
        self.grants.retain(|grant| grant.granted_by == origin);
    }

    /// Records every permission of `policy` that has no record as granted now, and drops the
    /// records of permissions that are no longer granted.
    pub(super) fn follow(&mut self, policy: &Policy, grantor: &Grantor) {
        let mut known = std::mem::take(&mut self.grants);
        let granted_at = Timestamp::now();
        for permission in policy.permissions() {
            let at = known
                .iter()
                .position(|grant| grant.permission == permission);
            self.grants.push(match at {
                Some(at) => known.swap_remove(at),
                None => GrantRecord {
                    permission,
                    granted_by: grantor.origin,
                    granted_at,
                    request: grantor.request.clone(),
                },
            });
        }
    }

    /// Reads the file; a missing one is an empty record. A damaged one is ignored
    /// with a warning, since the record grants nothing.
    pub(super) fn read(path: &Path) -> Self {
        match read(path) {
            Ok(grants) => PolicyRecord { grants },
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(
                        "the record of who granted what cannot be read: `{}`: {error}",
                        path.display()
                    );
                }
                PolicyRecord::default()
            }
        }
    }

    pub(super) fn to_json(&self) -> String {
        let document = Document {
            format: FORMAT,
            grants: self.grants.clone(),
        };
        // Plain data with string keys, written to memory, cannot fail to serialise.
        serde_json::to_string_pretty(&document).expect("records are plain data")
    }
}

/// Reads the file and returns only the error.
pub(super) fn check(path: &Path) -> io::Result<()> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        read => read.map(drop),
    }
}

fn read(path: &Path) -> io::Result<Vec<GrantRecord>> {
    let document: Document = serde_json::from_slice(&read_regular(path, MAX_FILE, Links::Follow)?)?;
    if document.format == FORMAT {
        Ok(document.grants)
    } else {
        Err(io::Error::other(format!(
            "format {} is not {FORMAT}",
            document.format
        )))
    }
}
