//! Asking a person.

use std::pin::Pin;

use crate::digest::Digest;
use crate::policy::Permission;
use crate::reference::{ComponentId, Reference};

/// What a component asks to be allowed, for a person to decide.
#[derive(Debug, Clone)]
pub struct Question {
    pub component_id: ComponentId,
    pub source: Reference,
    /// Of the component that asks: the answer is about no other.
    pub digest: Digest,
    /// What is asked for and not granted yet; never empty.
    pub permissions: Vec<Permission>,
    /// Plain sentences on what is odd about it.
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// All that was asked for.
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
