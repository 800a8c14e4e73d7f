//! Asks a person for consent.

use std::cmp::Reverse;
use std::pin::Pin;

use crate::digest::Digest;
use crate::policy::Permission;
use crate::reference::{ComponentId, Reference};
use crate::store::Metadata;

use super::danger::danger;

/// Most permissions in one question: a person does not read more.
const MOST: usize = 20;
/// Most characters that describe one permission.
const LONGEST: usize = 400;

/// The permissions that a component requests, for a person to decide on.
#[derive(Debug, Clone)]
pub struct Question {
    pub component_id: ComponentId,
    pub source: Reference,
    /// Digest of the component that asks; the answer applies only to it.
    pub digest: Digest,
    /// The permissions that a yes grants, all of which are shown: those requested and not granted
    /// yet, the most dangerous first.
    pub permissions: Vec<Permission>,
    /// Number of further requested permissions, which are too many or too long to show. A yes does
    /// not grant them.
    pub left_out: usize,
    /// Sentences about what is unusual in the request.
    pub remarks: Vec<String>,
}

impl Question {
    /// A question about these permissions.
    pub fn new(metadata: &Metadata, asked: Vec<Permission>, remarks: Vec<String>) -> Self {
        let all = asked.len();
        let mut permissions = asked;
        permissions.retain(|permission| permission.to_string().chars().count() <= LONGEST);
        permissions.sort_by_key(|permission| Reverse(danger(permission)));
        permissions.truncate(MOST);
        Question {
            component_id: metadata.component_id.clone(),
            source: metadata.source.clone(),
            digest: metadata.digests.component,
            left_out: all - permissions.len(),
            permissions,
            remarks,
        }
    }

    /// A sentence about the permissions left out, if any.
    pub fn rest(&self) -> Option<String> {
        (self.left_out > 0).then(|| {
            format!(
                "{} more, which a yes does not grant: `wassette policy get {}` lists them, \
                 `wassette policy set` grants what a file says",
                self.left_out, self.component_id
            )
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The user granted all permissions in the question.
    Granted,
    Refused,
    /// There is no one to ask.
    Unavailable,
    /// The question is being sent, and the client repeats the request with the answer. Until then
    /// nothing is granted.
    Later,
}

/// Asks a person: by a prompt on a terminal, or by a question in an MCP client.
pub trait Consent: Send + Sync {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

/// Grants nothing, because there is no one to ask.
pub struct NobodyToAsk;

impl Consent for NobodyToAsk {
    fn ask<'a>(&'a self, _: &'a Question) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(std::future::ready(Answer::Unavailable))
    }
}
