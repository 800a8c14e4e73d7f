//! The last working authorization of a repository, kept for the next request.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::{HeaderValue, StatusCode};

use super::credentials::CredentialSource;
use super::token::Token;

/// The authorization of one repository for one scope.
#[derive(Default)]
pub(super) struct Session {
    /// Held while a challenge is answered, so that only one request does so.
    pub turn: tokio::sync::Mutex<()>,
    authorization: Mutex<Option<Authorization>>,
}

/// An authorization header, and the identity behind it.
#[derive(Clone)]
pub(super) struct Authorization {
    pub token: Token,
    pub holder: Holder,
}

#[derive(Clone)]
pub(super) enum Holder {
    Anyone,
    /// A user, with credentials from this source.
    User(CredentialSource),
    /// Anonymous access, after the credentials from this source were refused.
    Refused(CredentialSource),
}

impl Authorization {
    /// Source of the credentials, for the message of a refusal.
    pub fn source(&self) -> Option<&CredentialSource> {
        match &self.holder {
            Holder::Anyone => None,
            Holder::User(source) | Holder::Refused(source) => Some(source),
        }
    }

    pub fn header(&self) -> HeaderValue {
        self.token.header.clone()
    }
}

impl Session {
    /// The last working authorization, unless it has expired.
    pub fn authorization(&self) -> Option<Authorization> {
        let kept = self.authorization.lock();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        kept.clone()
            .filter(|kept| kept.token.good_until > Instant::now())
    }

    /// Drops an anonymous authorization after a refusal with this status. The user may have logged
    /// in since, and credentials are looked up only for a challenge.
    pub fn revalidate(&self, status: StatusCode) {
        let by_user = |kept: &Authorization| matches!(kept.holder, Holder::User(_));
        let is_users = self.authorization().as_ref().is_some_and(by_user);
        if status == StatusCode::FORBIDDEN && !is_users {
            self.keep(None);
        }
    }

    pub fn keep(&self, authorization: Option<Authorization>) {
        let kept = self.authorization.lock();
        *kept.unwrap_or_else(PoisonError::into_inner) = authorization;
    }
}
