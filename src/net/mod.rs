//! The HTTP client: TLS, proxies, certificate authorities, redirects, retries,
//! and limits on the size and speed of bodies. It knows nothing about
//! registries.

mod access;
mod authority;
mod clients;
mod diagnose;
mod dial_timeout;
mod error;
mod error_body;
mod meter;
mod options;
mod range;
mod reach;
mod request;
mod resolver;
mod response;
mod retry;
#[cfg(test)]
mod tests;
mod tls;

use std::borrow::Cow;
use std::time::Instant;

use http::{Method, StatusCode, header};
use reqwest::RequestBuilder;
use url::Url;

pub use access::{Access, Certificate};
pub use authority::Authority;
pub use dial_timeout::DialTimeout;
pub use error::Error;
pub use meter::Meter;
pub use options::{Network, Options};
pub(crate) use range::{Resume, validator};
pub(crate) use reach::may_lead;
pub(crate) use request::{Form, Payload, Request};
pub(crate) use response::Response;
pub(crate) use retry::{Retry, RetryBudget, RetryMode};

use crate::reference::is_loopback;
use clients::{Clients, Kind};
use request::Sent;
use response::Pace;
use tls::Trust;

const MAX_REDIRECTS: u32 = 8;

/// Sends HTTP requests. Holds one `reqwest` client per combination of
/// certificates, trust and direction, each built at first use: loading the
/// system's certificates takes many times longer than a request to a local
/// registry.
pub struct Client {
    options: Options,
    clients: Clients,
}

impl Client {
    pub fn new(options: Options) -> Self {
        Client {
            options,
            clients: Clients::default(),
        }
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether plain HTTP is allowed to this `host[:port]`.
    pub(crate) fn allows_plain(&self, authority: &str) -> bool {
        let url = Url::parse(&format!("http://{authority}/"));
        url.is_ok_and(|url| self.allows_plain_url(&url))
    }

    /// A new budget of retries for one operation.
    pub(crate) fn retry_budget<'a>(&'a self, meter: &'a Meter, mode: RetryMode) -> RetryBudget<'a> {
        RetryBudget::new(&self.options, meter, mode)
    }

    /// Sends the request and follows redirects. Retries failed connections and
    /// statuses such as 429 and 503. A response of any status is `Ok`.
    pub(crate) async fn send(&self, request: Request, meter: &Meter) -> Result<Response, Error> {
        // `fetch` checks this earlier, before it does any work; this is the
        // last check.
        if self.options.network == Network::Off {
            return Err(Error::Offline {
                host: host_and_port(&request.url),
            });
        }
        let host = host_and_port(&request.url);
        let mut budget = self.retry_budget(meter, request.retry);
        loop {
            let result = self.once(&request, meter).await;
            let (reason, after) = match &result {
                Ok(response) if retry::may_pass(response.status()) => (
                    format!("it answered {}", response.status()),
                    retry::after(response.headers()),
                ),
                Err(error) if error.is_of_connection() => (error.chain(), None),
                _ => return result,
            };
            if budget.is_spent() {
                return result;
            }
            drop(result);
            let retry = Retry {
                host: &host,
                reason: &reason,
                after,
            };
            budget.pause(retry).await;
        }
    }

    async fn once(&self, request: &Request, meter: &Meter) -> Result<Response, Error> {
        let usual = Access::default();
        let mut url = request.url.clone();
        let mut authorization = request.authorization.as_ref();
        let mut access = &request.access;
        for _ in 0..=MAX_REDIRECTS {
            let options = self.options_for(access);
            let kind = Kind {
                access: access.clone(),
                trust: self.trust(&url),
                direction: request.direction(),
            };
            let client = self.clients.get(kind, &options).await?;
            let mut builder = client
                .request(request.method.clone(), url.clone())
                .headers(request.headers.clone());
            // Digests are computed over the bytes as stored, so refuse
            // compression.
            builder = builder.header(header::ACCEPT_ENCODING, "identity");
            if let Some(accept) = request.accept {
                builder = builder.header(header::ACCEPT, accept);
            }
            if let Some(value) = authorization {
                builder = builder.header(header::AUTHORIZATION, value.clone());
            }
            if let Some(payload) = &request.payload {
                builder = payload.attach(builder).await?;
            }
            meter.count_request(&url);
            let response = exchange(&request.method, &url, (builder, &options)).await?;
            let Some(next) = self.redirect(&url, &response)? else {
                return Ok(Response {
                    inner: response,
                    sent: Sent::of(authorization, request.payload.as_ref()),
                    pace: Pace::of(&self.options),
                });
            };
            if let Some(payload) = &request.payload {
                return Err(Error::redirect(&url, payload.why_it_stays()));
            }
            // Do not send credentials to another origin.
            if next.origin() != url.origin() {
                authorization = None;
                access = &usual;
            }
            url = next;
        }
        Err(Error::redirect(&url, "it goes on for too long"))
    }

    fn redirect(&self, from: &Url, response: &reqwest::Response) -> Result<Option<Url>, Error> {
        let followed = matches!(
            response.status(),
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        if !followed {
            return Ok(None);
        }
        let mut next = response
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| from.join(location).ok())
            .ok_or_else(|| Error::redirect(from, "it names no address"))?;
        // `reqwest` would send user name and password as an Authorization
        // header.
        let cleared = next.set_username("").and_then(|()| next.set_password(None));
        if cleared.is_err() || next.host_str().is_none() {
            return Err(Error::redirect(from, "it names no host"));
        }
        self.check_lead(from, &next)
            .map_err(|reason| Error::redirect(from, reason))?;
        Ok(Some(next))
    }

    /// Checks whether a server at `from` may redirect or refer this client to
    /// `next`. The error is the reason why not.
    pub(crate) fn check_lead(&self, from: &Url, next: &Url) -> Result<(), &'static str> {
        if !may_lead(from, next) {
            return Err("it leads to this machine or its link");
        }
        match next.scheme() {
            "https" => Ok(()),
            "http" if from.origin() == next.origin() => Ok(()),
            "http" if from.scheme() == "http" && self.allows_plain_url(next) => Ok(()),
            "http" => Err("it leads to plain HTTP"),
            _ => Err("it leads out of HTTP"),
        }
    }

    /// Whether plain HTTP is allowed to the host of `url`.
    pub(crate) fn allows_plain_url(&self, url: &Url) -> bool {
        is_loopback(host(url)) || listed(&self.options.plain_http, url)
    }

    /// The options, with the dial timeout of one host if it has its own.
    fn options_for(&self, access: &Access) -> Cow<'_, Options> {
        match access.dial_timeout {
            None => Cow::Borrowed(&self.options),
            Some(timeout) => Cow::Owned(Options {
                connect_timeout: timeout.duration(),
                ..self.options.clone()
            }),
        }
    }

    /// How to verify the certificate of the host of `url`.
    fn trust(&self, url: &Url) -> Trust {
        if url.scheme() != "https" {
            return match is_loopback(host(url)) {
                true => Trust::Loopback,
                false => Trust::Plain,
            };
        }
        if listed(&self.options.insecure, url) {
            let name = host_and_port(url);
            tracing::warn!(
                "the certificate of `{name}` is not checked (`insecure` in config.toml)"
            );
            return Trust::Anyone;
        }
        Trust::Authorities
    }
}

/// Sends one request and reads the response headers. The log leaves out the
/// query, which holds the signature of a signed URL.
async fn exchange(
    method: &Method,
    url: &Url,
    (builder, options): (RequestBuilder, &Options),
) -> Result<reqwest::Response, Error> {
    let (host, path) = (host_and_port(url), url.path());
    let started = Instant::now();
    let result = builder.send().await;
    let ms = started.elapsed().as_millis();
    match result {
        Ok(response) => {
            let (status, length) = (response.status().as_u16(), response.content_length());
            tracing::debug!(%method, %host, path, status, length, ms, "request");
            Ok(response)
        }
        Err(error) => {
            let error = Error::transport(url, error, options);
            tracing::debug!(%method, %host, path, %error, ms, "request failed");
            Err(error)
        }
    }
}

/// Whether the list contains the host of `url`.
fn listed(list: &[Authority], url: &Url) -> bool {
    list.iter().any(|one| one.covers(url))
}

/// The host of a URL; `http` and `https` URLs always have one.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// `host`, or `host:port` if the port is not the default of the scheme.
pub(crate) fn host_and_port(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", host(url)),
        None => host(url).to_owned(),
    }
}
