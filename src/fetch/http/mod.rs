//! The HTTP client: which hosts may be spoken to how, redirects, and bodies
//! that cannot grow without bound.

mod clients;
mod error;
mod meter;
mod range;
mod reach;
mod retry;
#[cfg(test)]
mod tests;
mod tls;
mod words;

use std::borrow::Cow;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{RequestBuilder, Response};
use url::Url;

pub use error::HttpError;
pub(super) use meter::{Body, Meter, read_bounded};
pub(super) use range::{Resume, validator};
pub(super) use reach::may_lead;
pub(super) use retry::{Patience, Persistence};

use super::hosts::{Access, Authority};
use super::{FetchOptions, Network, Secret};
use crate::reference::is_loopback;
use clients::Clients;
use tls::Trust;

const MAX_REDIRECTS: u32 = 8;

/// One request; redirects are followed.
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub accept: Option<&'static str>,
    /// Only ever sent to the origin of `url`.
    pub authorization: Option<HeaderValue>,
    /// Only for the origin of `url`.
    pub access: Access,
    pub persistence: Persistence,
    /// Conditions and ranges.
    pub headers: HeaderMap,
    /// The body; it goes to `url` and nowhere else.
    pub form: Option<Form>,
}

/// A body in the form of `application/x-www-form-urlencoded`.
pub(super) struct Form {
    pub body: Bytes,
    /// What in it nobody may see.
    pub secret: Secret,
}

/// The secrets of a request, noted on its response: a server may repeat them.
#[derive(Clone)]
struct Sent(Vec<Secret>);

impl Sent {
    fn of(authorization: Option<&HeaderValue>, form: Option<&Form>) -> Self {
        let mut secrets: Vec<Secret> = form.iter().map(|form| form.secret.clone()).collect();
        let header = authorization.and_then(|value| value.to_str().ok());
        if let Some((_, credentials)) = header.and_then(|text| text.split_once(' ')) {
            secrets.push(credentials.into());
            let pair = BASE64_STANDARD.decode(credentials).ok();
            let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
            let secret = pair.as_deref().and_then(|pair| pair.split_once(':'));
            secrets.extend(secret.map(|(_, secret)| secret.into()));
        }
        Sent(secrets)
    }
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Request {
            method,
            url,
            accept: None,
            authorization: None,
            access: Access::default(),
            persistence: Persistence::default(),
            headers: HeaderMap::new(),
            form: None,
        }
    }
}

/// Several clients, each made at first use: loading the system's certificates
/// takes many times longer than a request to a local registry.
pub(super) struct Http {
    options: FetchOptions,
    clients: Clients,
}

impl Http {
    pub fn new(options: &FetchOptions) -> Self {
        Http {
            options: options.clone(),
            clients: Clients::default(),
        }
    }

    /// Whether plain HTTP may be spoken to this `host[:port]`.
    pub fn allows_plain(&self, authority: &str) -> bool {
        let url = Url::parse(&format!("http://{authority}/"));
        url.is_ok_and(|url| self.allows_plain_url(&url))
    }

    /// How often something of one fetch is tried again.
    pub fn patience<'a>(&'a self, meter: &'a Meter, persistence: Persistence) -> Patience<'a> {
        Patience::new(&self.options, meter, persistence)
    }

    /// Sends the request and follows redirects; what may pass (a connection
    /// that fails, a server that is busy) is tried again. Any status is an `Ok`.
    pub async fn send(&self, request: Request, meter: &Meter) -> Result<Response, HttpError> {
        // The last gate; the first is in `Fetcher`, before any work is done.
        if self.options.network == Network::Off {
            return Err(HttpError::Offline {
                host: host_and_port(&request.url),
            });
        }
        let mut patience = self.patience(meter, request.persistence);
        loop {
            let result = self.once(&request, meter).await;
            let asked = match &result {
                Ok(response) if retry::may_pass(response.status()) => {
                    retry::asked(response.headers())
                }
                Err(error) if error.is_of_connection() => None,
                _ => return result,
            };
            if patience.is_over() {
                return result;
            }
            drop(result);
            patience.pause(asked).await;
        }
    }

    async fn once(&self, request: &Request, meter: &Meter) -> Result<Response, HttpError> {
        let usual = Access::default();
        let mut url = request.url.clone();
        let mut authorization = request.authorization.as_ref();
        let mut access = &request.access;
        for _ in 0..=MAX_REDIRECTS {
            let options = self.options(access);
            let client = self.clients.get(access, self.trust(&url), &options).await?;
            let mut builder = client
                .request(request.method.clone(), url.clone())
                .headers(request.headers.clone());
            if let Some(accept) = request.accept {
                builder = builder.header(header::ACCEPT, accept);
            }
            if let Some(value) = authorization {
                builder = builder.header(header::AUTHORIZATION, value.clone());
            }
            if let Some(Form { body, .. }) = &request.form {
                builder = builder
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body.clone());
            }
            meter.count_request(&url);
            let mut response = exchange(&request.method, &url, (builder, &options)).await?;
            let Some(next) = self.redirect(&url, &response)? else {
                let sent = Sent::of(authorization, request.form.as_ref());
                response.extensions_mut().insert(sent);
                return Ok(response);
            };
            if request.form.is_some() {
                return Err(HttpError::redirect(&url, "it would carry secrets along"));
            }
            // What authorises at one origin is no business of another.
            if next.origin() != url.origin() {
                authorization = None;
                access = &usual;
            }
            url = next;
        }
        Err(HttpError::redirect(&url, "it goes on for too long"))
    }

    fn redirect(&self, from: &Url, response: &Response) -> Result<Option<Url>, HttpError> {
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
            .ok_or_else(|| HttpError::redirect(from, "it names no address"))?;
        // The client would turn these into an Authorization header.
        let cleared = next.set_username("").and_then(|()| next.set_password(None));
        if cleared.is_err() || next.host_str().is_none() {
            return Err(HttpError::redirect(from, "it names no host"));
        }
        if !may_lead(from, &next) {
            return Err(HttpError::redirect(
                from,
                "it leads to this machine or its link",
            ));
        }
        match next.scheme() {
            "https" => Ok(Some(next)),
            "http" if from.origin() == next.origin() => Ok(Some(next)),
            "http" if from.scheme() == "http" && self.allows_plain_url(&next) => Ok(Some(next)),
            "http" => Err(HttpError::redirect(from, "it leads to plain HTTP")),
            _ => Err(HttpError::redirect(from, "it leads out of HTTP")),
        }
    }

    /// Whether plain HTTP may be spoken to the host of `url`.
    pub fn allows_plain_url(&self, url: &Url) -> bool {
        is_loopback(host(url)) || listed(&self.options.plain_http, url)
    }

    /// The options as they are for one host.
    fn options(&self, access: &Access) -> Cow<'_, FetchOptions> {
        match access.dial_timeout {
            None => Cow::Borrowed(&self.options),
            Some(timeout) => Cow::Owned(FetchOptions {
                connect_timeout: timeout.duration(),
                ..self.options.clone()
            }),
        }
    }

    /// What stands for the host of `url`.
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

/// One request and the head of its response, logged without the query, which
/// holds the secrets of signed addresses.
async fn exchange(
    method: &Method,
    url: &Url,
    (builder, options): (RequestBuilder, &FetchOptions),
) -> Result<Response, HttpError> {
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
            let error = HttpError::transport(url, error, options);
            tracing::debug!(%method, %host, path, %error, ms, "request failed");
            Err(error)
        }
    }
}

/// Whether a list has the host of `url`.
fn listed(list: &[Authority], url: &Url) -> bool {
    list.iter().any(|one| one.covers(url))
}

/// Host of the URL; those of http and https always have one.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// With the port where it is not the scheme's own.
pub(super) fn host_and_port(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", host(url)),
        None => host(url).to_owned(),
    }
}
