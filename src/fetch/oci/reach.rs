//! Whether a registry answers at all.

use http::{Method, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::login::{LoginError, base};
use crate::fetch::hosts::Mirrors;
use crate::fetch::http::{Http, Meter, Request};

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

/// Asks the registry's `/v2/`; any answer will do, also that a login is needed.
pub(in crate::fetch) async fn reach(
    (http, mirrors): (&Http, &Mirrors),
    registry: &str,
) -> Result<Reached, LoginError> {
    let host = mirrors.named(registry)?;
    let url = base(http, &host, registry).ok_or_else(|| LoginError::Registry {
        text: registry.to_owned(),
    })?;
    let request = Request {
        access: host.access.clone(),
        ..Request::new(Method::GET, url)
    };
    let response = http.send(request, &Meter::default()).await;
    let response = response.map_err(|source| LoginError::Unreachable {
        registry: registry.to_owned(),
        source,
    })?;
    let date = response.headers().get(header::DATE);
    Ok(Reached {
        host: registry.to_owned(),
        date: date.and_then(|date| date.to_str().ok()).and_then(parse),
        at: Timestamp::now(),
    })
}

/// The usual form of HTTP's dates is one of mail's:
/// <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>.
fn parse(date: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(date).ok()?.timestamp())
}
