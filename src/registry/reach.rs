//! Whether a registry answers at all.

use http::{Method, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Client, LoginError};
use crate::net::{Meter, Request};

/// A registry that answered.
#[derive(Debug, Clone)]
pub struct Reached {
    /// `host[:port]`.
    pub host: String,
    /// What time it says it is.
    pub date: Option<Timestamp>,
    /// When it said so, by this machine's clock.
    pub at: Timestamp,
}

impl Client {
    /// Asks the `/v2/` of a registry (`host[:port]`); any answer will do, also
    /// that a login is needed.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn reach(&self, registry: &str) -> Result<Reached, LoginError> {
        let host = self.options.mirrors.named(registry)?;
        let url = self.root_of(&host, registry)?;
        let request = Request {
            access: host.access.clone(),
            ..Request::new(Method::GET, url)
        };
        let response = self.http.send(request, &Meter::default()).await;
        let response = response.map_err(|error| LoginError::Unreachable {
            registry: registry.to_owned(),
            source: error.into(),
        })?;
        Ok(Reached {
            host: registry.to_owned(),
            date: response.header(header::DATE).and_then(parse),
            at: Timestamp::now(),
        })
    }
}

/// The usual form of HTTP's dates is one of mail's:
/// <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>.
fn parse(date: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(date).ok()?.timestamp())
}
