//! What opened a repository, kept for the next request.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::{HeaderValue, StatusCode};

use super::credentials::CredentialSource;
use super::token::Token;

/// What opens one repository for one kind of action.
#[derive(Default)]
pub(super) struct Session {
    /// Held while a challenge is answered.
    pub turn: tokio::sync::Mutex<()>,
    authorization: Mutex<Option<Authorization>>,
}

/// A header, and whose it is.
#[derive(Clone)]
pub(super) struct Authorization {
    pub token: Token,
    pub holder: Holder,
}

#[derive(Clone)]
pub(super) enum Holder {
    Anyone,
    /// The user, by credentials from here.
    User(CredentialSource),
    /// Anyone, after the credentials from here were refused.
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
    /// What opened the repository last, unless it has expired.
    pub fn authorization(&self) -> Option<Authorization> {
        let kept = self.authorization.lock();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        kept.clone()
            .filter(|kept| kept.token.good_until > Instant::now())
    }

    /// Forgets what anyone gets, where that does not open the repository: a
    /// login may have come since, and only a challenge makes it looked for.
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
