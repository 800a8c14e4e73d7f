//! Asking a person.

use std::cmp::Reverse;
use std::pin::Pin;

use crate::digest::Digest;
use crate::policy::Permission;
use crate::reference::{ComponentId, Reference};
use crate::store::Metadata;

use super::danger::danger;

/// Permissions in one question, at most: a person reads no more.
const MOST: usize = 20;
/// Characters of each in plain words, at most.
const LONGEST: usize = 400;

/// What a component asks to be allowed, for a person to decide.
#[derive(Debug, Clone)]
pub struct Question {
    pub component_id: ComponentId,
    pub source: Reference,
    /// Of the component that asks: the answer is about no other.
    pub digest: Digest,
    /// What a yes grants, all of which is shown: what is asked for and not
    /// granted yet, the most dangerous first.
    pub permissions: Vec<Permission>,
    /// How many more are asked for, which are too many or too long to be
    /// shown, and which a yes does not grant.
    pub left_out: usize,
    /// Plain sentences on what is odd about it.
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

    /// What to say of what is left out.
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
    /// All that the question is about.
    Granted,
    Refused,
    /// There is no one to ask.
    Unavailable,
    /// The question is on its way, and the same request will be made again
    /// with the answer. Until then it is a no.
    Later,
}

/// Asks a person: a prompt on a terminal, or a question in an MCP client.
pub trait Consent: Send + Sync {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

/// Grants nothing.
pub struct NobodyToAsk;

impl Consent for NobodyToAsk {
    fn ask<'a>(&'a self, _: &'a Question) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(std::future::ready(Answer::Unavailable))
    }
}
