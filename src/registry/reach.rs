//! Checks whether a registry responds, for `wassette doctor`.

use std::collections::BTreeSet;

use http::{Method, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Client, LoginError};
use crate::net::{Meter, Request, RetryMode};

/// A registry that responded.
#[derive(Debug, Clone)]
pub struct Reached {
    /// `host[:port]`.
    pub host: String,
    /// The time in its `Date` header.
    pub date: Option<Timestamp>,
    /// The time of the response by this machine's clock.
    pub at: Timestamp,
}

impl Client {
    /// The mirrors (`host[:port]`) of these registries, and those configured
    /// for other registries.
    pub fn mirrors_of<'a>(&self, registries: impl Iterator<Item = &'a String>) -> Vec<String> {
        let mirrors = &self.options.mirrors;
        let asked = registries.flat_map(|registry| {
            let hosts = mirrors.of(registry).unwrap_or_default().into_iter();
            hosts.filter(|host| !host.is(registry))
        });
        let configured = mirrors.all();
        let names = asked.chain(configured);
        let names: BTreeSet<String> = names.map(|host| host.host.as_str().to_owned()).collect();
        names.into_iter().collect()
    }

    /// Requests `/v2/` of a registry or mirror (`host[:port]`). Any response is
    /// a success, including a 401.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub async fn reach(&self, registry: &str) -> Result<Reached, LoginError> {
        let host = self.options.mirrors.named(registry)?;
        let url = self.root_of(&host, registry)?;
        let request = Request {
            access: host.access.clone(),
            // Report the current state without delay.
            retry: RetryMode::Once,
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

/// Parses a `Date` header. HTTP's preferred format is a subset of RFC 2822's:
/// <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>.
fn parse(date: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(date).ok()?.timestamp())
}
