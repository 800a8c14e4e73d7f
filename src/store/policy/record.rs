//! `<id>.policy.meta.json`: who granted what, and when.
//!
//! It tells where grants came from and grants nothing itself.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::file::{Links, read_regular};
use crate::policy::{Permission, Policy};
use crate::reference::Reference;

/// Raised when a reader of the previous version would misread the file.
const FORMAT: u32 = 1;
/// In bytes.
const MAX_FILE: u64 = 16 << 20;

/// By what means a person gave a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A command, its flag or its prompt.
    Cli,
    /// A question that the user answered in an MCP client.
    Elicitation,
    /// A tool that an agent called.
    McpTool,
    /// `[policy] bundled = "apply"` of the configuration.
    Config,
    /// The manifest of `wassette apply`.
    Manifest,
}

impl Origin {
    /// As it is stored.
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

/// The request that a grant answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSource {
    /// Where the component that asked came from.
    pub source: Reference,
    /// Of the component that asked.
    pub digest: Digest,
}

/// How one permission came to be granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    pub permission: Permission,
    pub granted_by: Origin,
    pub granted_at: Timestamp,
    /// Absent for a grant that no component asked for.
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

/// Who grants, now.
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
    /// How `permission` came to be granted; nothing when the policy's file
    /// was edited by hand.
    pub fn of(&self, permission: &Permission) -> Option<&GrantRecord> {
        self.grants
            .iter()
            .find(|grant| grant.permission == *permission)
    }

    /// Forgets of all other grants who gave them.
    pub(in crate::store) fn keep_those_of(&mut self, origin: Origin) {
        self.grants.retain(|grant| grant.granted_by == origin);
    }

    /// Notes every permission of `policy` that has no record as granted now,
    /// and drops the records of what is no longer granted.
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

    /// Reads the file; without one, nothing is recorded. A damaged one is
    /// passed over with a warning, since it grants nothing.
    pub(super) fn read(path: &Path) -> Self {
        match read(path) {
            Ok(grants) => PolicyRecord { grants },
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(
                        "who granted what is not known: `{}`: {error}",
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
        // Plain data with text for keys, written to memory: nothing can fail.
        serde_json::to_string_pretty(&document).expect("records are plain data")
    }
}

/// Reads the file for nothing but the error.
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
